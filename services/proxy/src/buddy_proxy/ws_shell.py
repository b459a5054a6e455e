"""`/v1/ws/shell`: a few maintenance commands, each a job that ends with the socket."""

import asyncio

from starlette.websockets import WebSocket

from buddy_common.adapters.job_queue import JobQueue
from buddy_common.ports import Caller
from buddy_common.settings import SocketSettings
from buddy_proxy.audit import TerminalAudit
from buddy_proxy.job_output import JobOutput
from buddy_proxy.shell_screen import ShellScreen
from buddy_proxy.terminal import first_size, say_goodbye, serve_terminal


class ShellRoom:
    """Gives each caller a shell; there is none behind it, only a list."""

    def __init__(
        self, jobs: JobQueue, output: JobOutput, audit: TerminalAudit, settings: SocketSettings, *, node: str
    ) -> None:
        self._jobs = jobs
        self._output = output
        self._audit = audit
        self._settings = settings
        self._node = node

    async def enter(self, websocket: WebSocket, caller: Caller) -> None:
        """Serve one shell until `exit` or until its client leaves.

        Raises:
            InvalidRequestError: the size is none.
        """
        first_size(websocket)  # refused as by the other terminal, and then of no use
        await websocket.accept()
        screen = ShellScreen(self._jobs, self._output, self._audit, caller, node=self._node)
        running = asyncio.create_task(screen.run())
        try:
            await serve_terminal(websocket, screen, self._settings)
        finally:
            running.cancel()
            await asyncio.wait([running])
        await say_goodbye(websocket, "The shell has ended.")
