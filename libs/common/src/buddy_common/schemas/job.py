"""What every kind of job has: its name, its lane, its locks and its deadline."""

import hashlib
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from buddy_common.schemas.resources import Resource
from buddy_common.secret_mask import mask_secrets


class Lane(StrEnum):
    """Two consumer processes per node, so that an install never delays a restart."""

    FAST = "fast"  # lifecycle, quick changes, refreshes
    SLOW = "slow"  # installs, updates, CLI fallbacks


class NodeLock(StrEnum):
    """What only one job of a node may do at a time; each is a file lock in the node's state folder."""

    LIFECYCLE = "lifecycle"  # start, stop and replace the gateway's process
    CONFIG = "config"  # write what `openclaw` keeps: its config and its plugins
    WECHAT = "wechat"  # bind and unbind WeChat accounts
    REPAIR = "repair"  # the watchdog is next with the gateway; no job needs it, those of the gateway wait
    READER = "reader"  # hold the connection to the gateway and fill the read model; no job needs it


class JobMessage(BaseModel):
    """What travels in the Celery message; everything else is in the task's row."""

    model_config = ConfigDict(frozen=True)

    task_id: str


class Job(BaseModel):
    """The payload of one kind of job, and what is known of that kind."""

    model_config = ConfigDict(frozen=True)

    task: ClassVar[str]  # Celery's name for it
    title: ClassVar[str]
    module: ClassVar[str]
    action: ClassVar[str]
    lane: ClassVar[Lane]
    deadline_seconds: ClassVar[float]  # from the moment when it need not wait for others any more
    # held while it runs; a job that has to wait for one stays Queued
    locks: ClassVar[frozenset[NodeLock]] = frozenset()
    # lists that are not right any more after it, and are read anew before it counts as completed
    changes: ClassVar[tuple[Resource, ...]] = ()
    # whether it may run once more when its worker died in the middle
    repeatable: ClassVar[bool] = False
    # fields that may hold secrets: the row gets them masked, the worker gets them through the broker
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    # texts that are too large for a row: it gets a summary of them, the worker gets them the same way
    bulky_fields: ClassVar[frozenset[str]] = frozenset()

    sealed: bool = False  # in a row: what is masked or summed up here has gone another way
    seal_key: str | None = None  # in a row: opens that; no request has it, so it is no part of `payload`

    @property
    def target(self) -> str | None:
        """What the job acts on, for lists of tasks and for the audit."""
        return None

    def payload(self) -> dict[str, Any]:
        """Return what was asked for, as a row may hold it."""
        return self.model_dump(mode="json", exclude={"seal_key"} if self.sealed else {"sealed", "seal_key"})

    def seal(self) -> tuple[Self, dict[str, Any]]:
        """Return the job as its row may hold it, and the fields that are not whole there."""
        plain = self.model_dump(mode="json", include=set(self.secret_fields | self.bulky_fields))
        kept = {
            name: _summary(value) if name in self.bulky_fields else mask_secrets(value)
            for name, value in plain.items()
        }
        apart = {name: value for name, value in plain.items() if kept[name] != value}
        return self.model_copy(update={**{name: kept[name] for name in apart}, "sealed": bool(apart)}), apart

    def unseal(self, fields: dict[str, Any]) -> Self:
        """Return the job as it was before `seal`."""
        return self.model_validate(self.model_dump() | fields | {"sealed": False, "seal_key": None})


def _summary(text: str) -> str:
    """Return what tells one text from another, so that an `Idempotency-Key` still does."""
    content = text.encode()
    return f"{len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"


def queue_name(node: str, lane: Lane) -> str:
    """Return the broker queue of a node's lane."""
    return f"node.{node}.{lane}"
