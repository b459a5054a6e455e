"""Forget what the watchdog took out of the config."""

import asyncio

from pydantic import BaseModel

from buddy_common.config_diff import show_path
from buddy_common.errors import UnknownQuarantineError
from buddy_common.schemas.healing_jobs import DiscardQuarantineJob
from buddy_worker.jobs import RunningJob
from buddy_worker.usecases.publish_healing import publish_healing


class QuarantineDiscarded(BaseModel):
    """What is forgotten; `path` is null when an earlier attempt of the same task had come so far."""

    id: str
    path: str | None


async def discard_quarantine(job: RunningJob[DiscardQuarantineJob]) -> QuarantineDiscarded:
    """Remove the entry, and nothing else.

    Raises:
        UnknownQuarantineError: there is none of this id.
        StateUnwritableError: it is still kept.
    """
    host, name = job.host, job.payload.id
    entry = await asyncio.to_thread(host.quarantine.get, name)
    if entry is None and job.attempt == 1:
        raise UnknownQuarantineError(name)
    await asyncio.to_thread(host.quarantine.remove, name)
    await publish_healing(host)
    return QuarantineDiscarded(id=name, path=None if entry is None else show_path(tuple(entry.path)))
