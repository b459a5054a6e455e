"""Tasks that wait, are cancelled, retried, found again by a key, and outlive their worker."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("message_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("cancel_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("process", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("retry_of", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("idempotency_key", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=64), nullable=True))
        batch_op.create_index("uq_tasks_actor_idempotency_key", ["actor", "idempotency_key"], unique=True)


def downgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index("uq_tasks_actor_idempotency_key")
        batch_op.drop_column("fingerprint")
        batch_op.drop_column("idempotency_key")
        batch_op.drop_column("retry_of")
        batch_op.drop_column("process")
        batch_op.drop_column("cancel_at")
        batch_op.drop_column("message_at")
