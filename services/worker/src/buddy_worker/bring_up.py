"""`python -m buddy_worker.bring_up`: starts the gateway with its container, without broker and database.

One that was stopped on purpose stays so. Whatever goes wrong is a line of the log and the exit code: the
container stays, so that a job can try again.
"""

import asyncio

import structlog

from buddy_common.adapters.config_file import write_first_config
from buddy_common.adapters.host_plane import build_gateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.entry import run_entry
from buddy_common.errors import BuddyError
from buddy_common.log import configure_logging
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.job import NodeLock
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.start_gateway import start_gateway

log = structlog.get_logger(__name__)


class LoggedProgress:
    """Tells how far the start is in the log, where no task is there to tell it."""

    async def stage(self, name: str, percent: int) -> None:
        """Say what happens now."""
        log.debug("stage", stage=name, percent=percent)

    async def line(self, text: str) -> None:
        """Leave out what is in the gateway's own log anyway."""
        log.debug("output", line=text)

    async def command(self, text: str) -> None:
        """Name the program."""
        log.info("starting", command=text)


async def bring_up(home: HomeSettings, settings: GatewaySettings, openclaw: OpenClawSettings) -> bool:
    """Start the gateway, with a first config where there is none; whether it runs, or is not to run now."""
    state = FileHostState(home.node_state)
    if await state.desired() is Desired.STOPPED:
        log.info("stopped_on_purpose", advice="POST /v1/gateway/start starts it")
        return True
    held = await asyncio.to_thread(NodeLocks(home.node_state).try_hold, {NodeLock.LIFECYCLE})
    if held is None:
        log.info("job_is_at_it")
        return True
    gateway = build_gateway(settings, HostOpenClaw(openclaw, home.runtime), state=state, home=home)
    try:
        await asyncio.to_thread(write_first_config, settings.config_file)
        started = await start_gateway(
            gateway,
            state,
            progress=LoggedProgress(),
            patience=Patience.of(settings),
            lock_descriptors=held.descriptors,
        )
        log.info("started", **started.model_dump(mode="json"))
    except (BuddyError, OSError) as exc:
        reason = exc.message if isinstance(exc, BuddyError) else str(exc)
        log.error("not_started", reason=reason)  # noqa: TRY400 - a person's business, no bug of ours
        return False
    finally:
        held.release()
        await gateway.close()
    return True


def main() -> None:
    """Start the gateway of this container.

    Raises:
        SystemExit: it could not be started.
    """
    home = HomeSettings()
    configure_logging(service="openclaw", node=home.node, level=home.log_level)
    if not asyncio.run(bring_up(home, GatewaySettings(), OpenClawSettings())):
        raise SystemExit(1)


if __name__ == "__main__":
    run_entry(main)
