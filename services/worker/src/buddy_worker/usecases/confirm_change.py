"""See a gateway through a change of its config: it applies it, restarts for it, or cannot live with it.

The lines are those of both generations (docs/gateway/configuration/hot-reload.md, and what they say).
"""

import asyncio
import re
import time
from enum import StrEnum

from buddy_common.errors import BuddyError, GatewayStartError
from buddy_common.ports import Progress
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.follow_startup import POLL_SECONDS, Patience, follow_startup
from buddy_worker.usecases.witness import Witness

# the watchers of both generations have decided after 2 s at most; the rest is for a busy machine
DECIDES_SECONDS = 10.0
# after the gateway has said that a change is applied: a plugin that ends the process does it by then
AFTERMATH_SECONDS = 1.0

_APPLIED = re.compile(r"\[reload\] config (?:hot reload applied|change applied)")
_REFUSED = re.compile(r"\[reload\] (config reload skipped|config reload failed|config restart failed)(.*)")
_RESTARTS = re.compile(r"\[reload\] config change requires gateway restart|\[admission\] closed: restart")
# with `gateway.reload.mode: "hot"`
_IGNORED = re.compile(r"\[reload\] config reload requires gateway restart; hot mode ignoring")
_UP_AGAIN = re.compile(r"\[gateway\] (?:ready\b|listening on|http server listening)")


class Applied(StrEnum):
    """What has become of a change that is in the file."""

    HOT = "hot"  # without a restart
    RESTARTED = "restarted"
    AT_NEXT_START = "next start"  # no gateway runs
    AT_RESTART = "restart pending"  # as soon as its running chats have ended


class RefusedChangeError(Exception):
    """The gateway goes on with the config that it has; `reason` is its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def confirm_change(
    witness: Witness, *, acknowledged: bool, restarts: bool, progress: Progress, patience: Patience
) -> Applied:
    """Wait until the gateway has taken the change.

    `acknowledged`: it has said so to us already; `restarts`: it has said that it will restart.

    Raises:
        RefusedChangeError: it runs on with the old config.
        GatewayStartError: it ended, or does not come up again.
    """
    if witness.process is None:
        return Applied.AT_NEXT_START
    await progress.stage("waiting for the gateway", 70)
    watch = _Watch(witness, witness.process, progress, patience, restarts=restarts)
    return await watch.until_taken(AFTERMATH_SECONDS if acknowledged else DECIDES_SECONDS)


class _Watch:
    def __init__(
        self,
        witness: Witness,
        process: ProcessIdentity,
        progress: Progress,
        patience: Patience,
        *,
        restarts: bool,
    ) -> None:
        self._witness = witness
        self._process = process
        self._progress = progress
        self._patience = patience
        self._restarts = restarts

    async def until_taken(self, seconds: float) -> Applied:
        start = self._witness.position
        deadline = time.monotonic() + (self._patience.drain_seconds if self._restarts else seconds)
        while True:
            gone = await self._witness.gateway.poll_exit(self._process) is not None
            for line in await self._witness.lines():
                await self._progress.line(line)
                if _IGNORED.search(line):
                    return Applied.AT_NEXT_START
                deadline, gone = self._take(line, deadline, gone=gone)
            if gone or await self._is_down():
                await follow_startup(
                    self._witness.gateway,
                    self._process,
                    progress=self._progress,
                    patience=self._patience,
                    position=start,
                    fresh=False,
                )
                return Applied.RESTARTED
            if time.monotonic() >= deadline:
                return Applied.AT_RESTART if self._restarts else Applied.HOT
            await asyncio.sleep(POLL_SECONDS)

    def _take(self, line: str, deadline: float, *, gone: bool) -> tuple[float, bool]:
        refused = _REFUSED.search(line)
        if refused:
            raise RefusedChangeError(f"{refused[1]}{refused[2]}")
        if _RESTARTS.search(line) and not self._restarts:
            self._restarts = True
            deadline = time.monotonic() + self._patience.drain_seconds
        if _APPLIED.search(line) and not self._restarts:
            deadline = min(deadline, time.monotonic() + AFTERMATH_SECONDS)
        # a restart within the process may be over before we see its port closed
        return deadline, gone or (self._restarts and _UP_AGAIN.search(line) is not None)

    async def _is_down(self) -> bool:
        """Whether it does not answer any more, twice: one silence may be a busy moment."""
        for _ in range(2):
            if (await self._witness.gateway.probe()).started:
                return False
        return True


def reason_of(exc: BuddyError | RefusedChangeError) -> str:
    """Return why a gateway did not take a change, in its own words."""
    return exc.reason if isinstance(exc, RefusedChangeError) else exc.message


NOT_TAKEN = (RefusedChangeError, GatewayStartError)
