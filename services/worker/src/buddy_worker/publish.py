"""Showing the new state at once after a job: who polls the task looks at the status next."""

import asyncio

import structlog

from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import BrokerUnavailableError, StateUnwritableError
from buddy_common.schemas.job import Job, NodeLock
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.publish_node import publish_gateway
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 15.0
# the older generation takes 5 s on an idle machine to list its models anew
READ_AGAIN_SECONDS = 15.0


async def publish_snapshot(w: Wiring) -> None:
    """Look at the gateway and publish what is there; a failure is a log line."""
    host = w.host
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            # the lock that is held now is our own, and the job is over
            snapshot = await observe_gateway(
                host.gateway, host.state, node=host.node, system=host.system, busy=False
            )
            await publish_gateway(host.read_model, snapshot, host.openclaw, fresh_seconds=host.fresh_seconds)
    except BrokerUnavailableError as exc:
        log.warning("read_model_unavailable", reason=exc.message)
    except Exception:  # a picture that cannot be taken must not cost the job its outcome
        log.exception("publish_failed")


async def read_again(w: Wiring, kind: type[Job]) -> None:
    """Have the lists read anew that a job may have changed; who sees it Completed sees them fresh, too.

    What only a command can tell takes longer and follows later. A failure is a log line.
    """
    if not kind.changes:  # a new gateway process tells of itself
        return
    try:
        if await asyncio.to_thread(w.host.locks.are_free, {NodeLock.READER}):
            return  # nobody reads; who begins to, reads everything
        await RefreshRequests(w.redis).ask(w.node, resources=list(kind.changes), seconds=READ_AGAIN_SECONDS)
    except (BrokerUnavailableError, StateUnwritableError) as exc:
        log.warning("lists_not_read_again", reason=exc.message)
    except Exception:  # a list that is not read must not cost the job its outcome
        log.exception("lists_not_read_again")
