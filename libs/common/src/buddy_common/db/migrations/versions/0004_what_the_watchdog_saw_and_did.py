"""What the watchdog saw, and what it did about it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "health_checks",
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("response_ms", sa.Float(), nullable=True),
        sa.Column("event_loop_ms", sa.Float(), nullable=True),
        sa.Column("cpu_percent", sa.Float(), nullable=False),
        sa.Column("rss_bytes", sa.BigInteger(), nullable=False),
        sa.Column("disk_percent", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("node", "at_ms", "id", name=op.f("pk_health_checks")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "health_rollups",
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("response_ms", sa.Float(), nullable=True),
        sa.Column("event_loop_ms", sa.Float(), nullable=True),
        sa.Column("cpu_percent", sa.Float(), nullable=False),
        sa.Column("rss_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "at_ms", name=op.f("pk_health_rollups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heal_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("repair", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("evidence_before", sa.JSON(), nullable=True),
        sa.Column("evidence_after", sa.JSON(), nullable=True),
        sa.Column("seconds_to_detect", sa.Float(), nullable=True),
        sa.Column("seconds_to_recover", sa.Float(), nullable=True),
        sa.Column("report", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_heal_events")),
    )
    op.create_index("uq_heal_events_id", "heal_events", ["id"], unique=True)
    op.create_index("ix_heal_events_node_seq", "heal_events", ["node", "seq"], unique=False)
    op.create_index("ix_heal_events_incident_seq", "heal_events", ["incident", "seq"], unique=False)
    op.create_table(
        "heal_incidents",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("seconds_to_detect", sa.Float(), nullable=True),
        sa.Column("seconds_to_recover", sa.Float(), nullable=True),
        sa.Column("report", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heal_incidents")),
    )
    op.create_index("ix_heal_incidents_node_began", "heal_incidents", ["node", "began"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_heal_incidents_node_began", table_name="heal_incidents")
    op.drop_table("heal_incidents")
    op.drop_index("ix_heal_events_incident_seq", table_name="heal_events")
    op.drop_index("ix_heal_events_node_seq", table_name="heal_events")
    op.drop_index("uq_heal_events_id", table_name="heal_events")
    op.drop_table("heal_events")
    op.drop_table("health_rollups")
    op.drop_table("health_checks")
