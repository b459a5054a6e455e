"""Show at once what a job has changed of the watchdog's business; its own next look says the same."""

import asyncio

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.healing import HealingView, QuarantineEntry
from buddy_common.schemas.resources import Resource

log = structlog.get_logger(__name__)


async def publish_healing(host: HostPlane) -> None:
    """Publish the wishes and the quarantine as they are on the disk; where that fails, nothing else does."""
    wishes = await asyncio.to_thread(host.self_healing.read)
    kept = await asyncio.to_thread(host.quarantine.listing)
    try:
        entry = await host.read_model.get(host.node, Resource.HEALING)
        view = HealingView(node=host.node) if entry is None else HealingView.model_validate_json(entry.data)
        since = view.circuit_open_since
        update = {
            "mode": wishes.mode,
            "paused_until": wishes.paused_until,
            "circuit_open_since": None if since is None or wishes.closes_circuit(since) else since,
            "quarantine": [QuarantineEntry.of(row) for row in kept],
        }
        await host.read_model.put(
            host.node,
            Resource.HEALING,
            view.model_copy(update=update),
            source="process",
            fresh_seconds=host.fresh_seconds,
        )
    except BrokerUnavailableError as exc:
        log.warning("healing_not_published", reason=exc.message)
