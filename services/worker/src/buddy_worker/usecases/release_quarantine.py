"""Put back into the config what the watchdog took out of it."""

import asyncio

from buddy_common.adapters.openclaw_config import Config
from buddy_common.config_diff import show_path
from buddy_common.errors import GatewayConfigError, PlaceTakenError, UnknownQuarantineError
from buddy_common.schemas.healing import Quarantined
from buddy_common.schemas.healing_jobs import ReleaseQuarantineJob
from buddy_worker.edits.objects import object_at
from buddy_worker.jobs import RunningJob
from buddy_worker.usecases.change_config import ConfigChanged, change_config
from buddy_worker.usecases.publish_healing import publish_healing


async def release_quarantine(job: RunningJob[ReleaseQuarantineJob]) -> ConfigChanged:
    """Put the entry where it was; it leaves quarantine when the gateway has come up with it, not before.

    Raises:
        UnknownQuarantineError: there is none of this id.
        PlaceTakenError: something else is where it was.
        BuddyError: whatever `change_config` raises; the entry stays in quarantine.
    """
    host, asked = job.host, job.payload
    entry = await asyncio.to_thread(host.quarantine.get, asked.id)
    if entry is None:
        raise UnknownQuarantineError(asked.id)
    changed = await change_config(job, lambda config: put_back(config, entry), base_hash=asked.base_hash)
    await asyncio.to_thread(host.quarantine.remove, entry.id)
    await publish_healing(host)
    return changed


def put_back(config: Config, entry: Quarantined) -> None:
    """Put an entry where it was; one that is there already, just so, stays.

    Raises:
        PlaceTakenError: something else is there.
    """
    *above, name = entry.path
    try:
        holder = object_at(config, *above) if above else config
    except GatewayConfigError as exc:
        raise PlaceTakenError(show_path(tuple(above))) from exc
    if name in holder and holder[name] != entry.value:
        raise PlaceTakenError(show_path(tuple(entry.path)))
    holder[name] = entry.value
