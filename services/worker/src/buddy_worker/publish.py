"""Showing the new state at once after a job: who polls the task looks at the status next."""

import asyncio

import structlog

from buddy_common.errors import BrokerUnavailableError
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.publish_node import publish_gateway
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 15.0


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
