"""`openclaw … --json` for the reads: one at a time, since each costs seconds of CPU and slows the gateway."""

import asyncio
from collections.abc import Mapping
from typing import Any

from buddy_common.adapters.openclaw_cli import OpenClawCli, find_json, require_success
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.errors import DeadlineExceededError
from buddy_common.schemas.processes import ProcessIdentity

LIMIT_SECONDS = 120.0


class CliCommands:
    """The command line of this host's OpenClaw."""

    def __init__(self, cli: OpenClawCli, openclaw: HostOpenClaw) -> None:
        self._cli = cli
        self._openclaw = openclaw
        self._one_at_a_time = asyncio.Lock()

    async def is_old(self) -> bool:
        """Whether it is of the older generation.

        Raises:
            OpenClawNotFoundError: there is no usable program.
        """
        program = await asyncio.to_thread(self._openclaw.program)
        return is_old_generation(program.version)

    async def json(self, *command: str, options: Mapping[str, str] | None = None) -> Any:
        """Run `openclaw COMMAND --json` and return its answer.

        Raises:
            OpenClawNotFoundError: there is no usable program.
            OpenClawCliError: it failed, whatever its exit code, or its answer holds no JSON.
            DeadlineExceededError: it was not done in time, and has been ended.
        """
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    result = await self._cli.run(
                        command, flags=["--json"], options=options, on_started=_nothing_to_record
                    )
            except TimeoutError as exc:
                raise DeadlineExceededError(
                    f"`openclaw {' '.join(command)}` was not done after {LIMIT_SECONDS:.0f} s."
                ) from exc
        answer = await asyncio.to_thread(find_json, result)
        require_success(answer)
        return answer


async def _nothing_to_record(_process: ProcessIdentity) -> None:
    """A read that loses its worker is ended by its keeper and simply read again."""
