"""The tables. Times are aware UTC; sizes and milliseconds are 64 bit on every database."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite counts up only a plain INTEGER primary key
_BIG_ID = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite forgets the zone, and PostgreSQL answers in that of the server."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they are a bug somewhere above."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back, or return to it."""
        del dialect
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class TaskRow(SQLModel, table=True):
    """A job: the truth about it, whatever the broker thinks."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_queued_at_id", "queued_at", "id"),
        Index("ix_tasks_node_status", "node", "status"),
        Index("uq_tasks_actor_idempotency_key", "actor", "idempotency_key", unique=True),
    )

    id: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=64)  # Celery's name of the job
    name: str = Field(max_length=128)
    module: str = Field(max_length=32)
    action: str = Field(max_length=32)
    target: str | None = Field(default=None, max_length=256)
    node: str = Field(max_length=64)
    lane: str = Field(max_length=16)
    actor: str = Field(max_length=64)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    status: str = Field(max_length=16)
    stage: str | None = Field(default=None, max_length=128)
    progress: int = 0
    command: str | None = Field(default=None, sa_type=Text)
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    error: str | None = Field(default=None, sa_type=Text)
    error_code: str | None = Field(default=None, max_length=64)
    owner: str | None = Field(default=None, max_length=128)  # the process that claimed it
    epoch: int = 0  # counts claims; a write of an older claim changes nothing
    queued_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # when its message was last sent; None while Queued: there is none, the task waits for a lock
    message_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancel_at: datetime | None = Field(default=None, sa_type=UtcDateTime)  # when somebody asked for it
    process: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # the process group that it runs
    retry_of: str | None = Field(default=None, max_length=64)
    idempotency_key: str | None = Field(default=None, max_length=255)
    fingerprint: str | None = Field(default=None, max_length=64)  # of what came with the key


class TaskOutputRow(SQLModel, table=True):
    """One line of a task's output."""

    __tablename__ = "task_output"

    task_id: str = Field(primary_key=True, max_length=64, foreign_key="tasks.id", ondelete="CASCADE")
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    line: str = Field(sa_type=Text)


class EventRow(SQLModel, table=True):
    """Who did what through Buddy, and how it ended."""

    __tablename__ = "system_events"
    __table_args__ = (Index("ix_system_events_at_id", "at", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=_BIG_ID)
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str = Field(max_length=64)
    action: str = Field(max_length=64)
    target: str | None = Field(default=None, max_length=256)
    status: str = Field(max_length=16)
    task_id: str | None = Field(default=None, max_length=64, index=True)
    address: str | None = Field(default=None, max_length=64)
    node: str | None = Field(default=None, max_length=64)
    detail: str | None = Field(default=None, sa_type=Text)


class NodeRow(SQLModel, table=True):
    """A host plane that has registered at least once."""

    __tablename__ = "nodes"

    name: str = Field(primary_key=True, max_length=64)
    hostname: str = Field(max_length=255)
    proxy_url: str | None = Field(default=None, max_length=255)
    registered_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)


class AccessGrantRow(SQLModel, table=True):
    """A session or a ticket; only the hash of its secret is stored."""

    __tablename__ = "access_grants"

    secret_hash: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=16)
    address: str | None = Field(default=None, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class QuickCommandRow(SQLModel, table=True):
    """A prompt that is one click away in the chat."""

    __tablename__ = "quick_commands"
    # an id is never given again: who deletes by an old list must not hit a newer row
    __table_args__ = (Index("ix_quick_commands_node", "node"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True, sa_type=_BIG_ID)
    node: str | None = Field(default=None, max_length=64)  # None: a system one, which every node has
    label: str = Field(max_length=64)
    prompt: str = Field(sa_type=Text)
    icon: str | None = Field(default=None, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class HealthCheckRow(SQLModel, table=True):
    """One look at a gateway. Its time is a number, since charts divide it."""

    __tablename__ = "health_checks"
    # the rows of a time lie together, and a check that comes again is the same row
    __table_args__ = ({"sqlite_with_rowid": False},)

    node: str = Field(primary_key=True, max_length=64)
    at_ms: int = Field(primary_key=True, sa_type=BigInteger)
    id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    verdict: str = Field(max_length=32)
    response_ms: float | None = None
    event_loop_ms: float | None = None
    cpu_percent: float = 0.0
    rss_bytes: int = Field(default=0, sa_type=BigInteger)
    disk_percent: float = 0.0


class HealthRollupRow(SQLModel, table=True):
    """The checks of five minutes: the worst verdict, and means."""

    __tablename__ = "health_rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    node: str = Field(primary_key=True, max_length=64)
    at_ms: int = Field(primary_key=True, sa_type=BigInteger)
    checks: int = 0
    answered: int = 0  # of them, what the means of the gateway's own figures are of
    verdict: str = Field(max_length=32)
    response_ms: float | None = None
    event_loop_ms: float | None = None
    cpu_percent: float = 0.0
    rss_bytes: int = Field(default=0, sa_type=BigInteger)


class HealEventRow(SQLModel, table=True):
    """One line of an incident's history; `seq` is the order in which a node wrote them down."""

    __tablename__ = "heal_events"
    __table_args__ = (
        Index("ix_heal_events_node_seq", "node", "seq"),
        Index("ix_heal_events_incident_seq", "incident", "seq"),
        Index("uq_heal_events_id", "id", unique=True),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_BIG_ID)
    id: str = Field(max_length=64)
    incident: str = Field(max_length=64)
    node: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=16)
    verdict: str = Field(max_length=32)
    reason: str = Field(sa_type=Text)
    repair: str | None = Field(default=None, max_length=64)
    outcome: str | None = Field(default=None, sa_type=Text)
    attempt: int = 0
    evidence_before: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    evidence_after: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    seconds_to_detect: float | None = None
    seconds_to_recover: float | None = None
    report: str | None = Field(default=None, max_length=128)


class HealIncidentRow(SQLModel, table=True):
    """An incident, as its events tell it: made anew of all of them whenever one comes."""

    __tablename__ = "heal_incidents"
    __table_args__ = (Index("ix_heal_incidents_node_began", "node", "began"),)

    id: str = Field(primary_key=True, max_length=64)
    node: str = Field(max_length=64)
    began: datetime = Field(sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verdict: str = Field(max_length=32)
    reason: str = Field(sa_type=Text)
    attempts: int = 0
    state: str = Field(max_length=16)
    seconds_to_detect: float | None = None
    seconds_to_recover: float | None = None
    report: str | None = Field(default=None, max_length=128)


METADATA: MetaData = SQLModel.metadata
