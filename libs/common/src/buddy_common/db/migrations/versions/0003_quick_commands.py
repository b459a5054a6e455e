"""Quick commands of the chat, and those that every node has from the start."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# label, icon, prompt
_SYSTEM = (
    (
        "状态汇报",
        "📊",
        "请用简短的列表汇报你现在的状态：正在进行的任务、最近完成的任务，以及需要我做决定的事项。",
    ),
    (
        "今日总结",
        "📝",
        "请总结今天我们的对话和你完成的工作，列出结论、产出和遗留问题，不超过十条。",
    ),
    (
        "整理待办",
        "✅",
        "请从最近的对话中整理出待办事项，按优先级排序，写明每一项的下一步和截止时间；没有提到的时间写“未定”。",
    ),
    ("继续任务", "▶️", "请从上次中断的地方继续。开始之前，先用一句话说明接下来要做什么。"),
    (
        "中英互译",
        "🌐",
        "请翻译我接下来发送的内容：中文译成英文，其他语言译成中文。保持原意和语气，只输出译文。",
    ),
    (
        "润色文字",
        "✍️",
        "请润色我接下来发送的文字，使其通顺、准确、简洁，不改变原意。先给出修改后的全文，再列出主要改动。",
    ),
    (
        "排查报错",
        "🔍",
        "请分析我接下来发送的报错或日志：最可能的原因、如何验证、如何修复。需要更多信息时请直接问我。",
    ),
    (
        "审查代码",
        "💻",
        "请审查我接下来发送的代码：先说明它做了什么，再按严重程度列出错误、安全隐患和可改进之处，并给出修改建议。",
    ),
)


def upgrade() -> None:
    table = op.create_table(
        "quick_commands",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=True),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("icon", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quick_commands")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("quick_commands", schema=None) as batch_op:
        batch_op.create_index("ix_quick_commands_node", ["node"], unique=False)
    now = datetime.now(UTC)
    op.bulk_insert(
        table,
        [
            {"node": None, "label": label, "prompt": prompt, "icon": icon, "created_at": now}
            for label, icon, prompt in _SYSTEM
        ],
    )


def downgrade() -> None:
    with op.batch_alter_table("quick_commands", schema=None) as batch_op:
        batch_op.drop_index("ix_quick_commands_node")

    op.drop_table("quick_commands")
