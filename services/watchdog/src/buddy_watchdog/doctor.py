"""What OpenClaw's own doctor says when it may only look; its repairs are never asked for."""

import asyncio
import json

import psutil
import structlog

from buddy_common.adapters.child_process import Stream
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.errors import BuddyError, OpenClawCliError
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.text_mask import mask_text

log = structlog.get_logger(__name__)

# it took 22 s of CPU; a machine in trouble is slower, and ours comes after everybody else's
DOCTOR_SECONDS = 120.0
MAX_LINES = 100
_FINDINGS = 1  # the exit code with which it has found something
_LEAST_PRIORITY = 19


class Doctor:
    """Asks it once at a time; who repairs sends it away."""

    def __init__(self, host: HostPlane) -> None:
        self._host = host
        self._lines: list[str] = []

    async def look(self) -> list[str]:
        """Return what it found, secrets masked; why it could not look is a line, too."""
        self._lines = []
        try:
            async with asyncio.timeout(DOCTOR_SECONDS):
                await self._look()
        except TimeoutError:
            self._lines.append(f"It was not done after {DOCTOR_SECONDS:.0f} s, and was ended.")
        except BuddyError as exc:
            log.warning("doctor_failed", reason=exc.message)
            self._lines.append(exc.message)
        return [mask_text(line) for line in _readable(self._lines)]

    async def _look(self) -> None:
        version = (await self._host.openclaw.inspect()).version
        if version is not None and is_old_generation(version):
            self._lines.append(f"OpenClaw {version} has no check that only looks; a newer one has.")
            return
        try:
            await self._host.cli.run(
                ["doctor"], flags=["--lint"], on_started=self._give_way, on_line=self._keep
            )
        except OpenClawCliError as exc:
            if exc.exit_code != _FINDINGS or not self._lines:
                raise

    async def _keep(self, line: str, _stream: Stream) -> None:
        if line.strip() and len(self._lines) < MAX_LINES:
            self._lines.append(line)

    async def _give_way(self, process: ProcessIdentity) -> None:
        """Let everybody else have the CPU first, and the gateway that has just come up above all."""
        await asyncio.to_thread(_lower, process.pid)


def _readable(lines: list[str]) -> list[str]:
    """Return the lines for people: without a terminal it answers in JSON."""
    try:
        answer = json.loads("".join(lines))
        found = [
            f"[{row['severity']}] {row['checkId']} {row.get('path') or ''}: {row['message']}"
            for row in answer["findings"]
        ]
    except (ValueError, KeyError, TypeError):
        return lines
    return [f"doctor --lint: ran {answer.get('checksRun')} check(s), {len(found)} finding(s)", *found]


def _lower(pid: int) -> None:
    try:
        psutil.Process(pid).nice(_LEAST_PRIORITY)
    except psutil.Error as exc:
        log.debug("priority_not_lowered", reason=type(exc).__name__)
