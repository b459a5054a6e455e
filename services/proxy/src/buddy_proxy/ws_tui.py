"""`/v1/ws/tui`: OpenClaw's own terminal program, on a terminal."""

import asyncio
from pathlib import Path

import structlog
from starlette.websockets import WebSocket

from buddy_common.adapters.openclaw_environment import openclaw_environment
from buddy_common.adapters.openclaw_program import HostOpenClaw, OpenClawProgram
from buddy_common.errors import ProgramStartError
from buddy_common.ports import Caller
from buddy_common.settings import GatewaySettings
from buddy_proxy.audit import TerminalAudit
from buddy_proxy.pty_process import PtyProcess, Size
from buddy_proxy.terminal import TerminalPlaces, first_size, say_goodbye, serve_terminal

log = structlog.get_logger(__name__)


class TuiRoom:
    """Starts a program for each caller, and ends it with the socket."""

    def __init__(
        self,
        openclaw: HostOpenClaw,
        gateway: GatewaySettings,
        audit: TerminalAudit,
        places: TerminalPlaces,
        *,
        folder: Path,
    ) -> None:
        """`folder` is where the program runs: an agent's own would choose that agent."""
        self._openclaw = openclaw
        self._gateway = gateway
        self._audit = audit
        self.places = places
        self._folder = folder

    async def enter(self, websocket: WebSocket, caller: Caller) -> None:
        """Serve one terminal until its program ends or its client leaves.

        Raises:
            InvalidRequestError: the size is none.
            TooManyTerminalsError: there are enough terminals.
            OpenClawNotFoundError: there is no usable program.
            ProgramStartError: it could not be started.
            DatabaseUnavailableError: it could not be written down who it is.
        """
        size = first_size(websocket)
        with self.places.place():
            program = await asyncio.to_thread(self._openclaw.program)
            await self._audit.opened(caller, "openclaw tui")
            process = await self._start(program, size)
            try:
                await websocket.accept()
                await serve_terminal(websocket, process, self.places.settings)
            finally:
                await process.stop()
                log.info("terminal_closed", exit=str(process.exit or process.problem))
        await say_goodbye(websocket, f"`openclaw tui` has ended ({process.exit or process.problem}).")

    async def _start(self, program: OpenClawProgram, size: Size) -> PtyProcess:
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as exc:
            raise ProgramStartError(f"OpenClaw cannot run in {self._folder}: {exc.strerror}.") from exc
        return await PtyProcess.start(
            [program.path, "tui"],
            environment=_terminal_environment(openclaw_environment(program, self._gateway)),
            cwd=self._folder,
            size=size,
        )


def _terminal_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return it with what a browser's terminal can do; the service's own terminal means nothing here."""
    kept = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    return {"LANG": "C.UTF-8"} | kept | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "OPENCLAW_NO_RESPAWN": "1",
    }  # fmt: skip
