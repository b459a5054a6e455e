"""Keeps child processes alive: restarts with back-off, logs what they write, ends them in time."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

from buddy_cli.child_log import ChildLog
from buddy_cli.children import BROKER, Child
from buddy_cli.failures import StartError

FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
STABLE_SECONDS = 60.0  # after this long the next death counts as the first again
READY_POLL_SECONDS = 0.1
# together under the 10 s that an operator waits after Ctrl-C
STOP_SECONDS = 7.0
BROKER_STOP_SECONDS = 2.0


class Keeper:
    """One child: spawned, watched, spawned again until told to stop."""

    def __init__(self, child: Child, *, logs: Path, on_change: Callable[[], None]) -> None:
        self.child = child
        self.restarts = 0
        self._log = ChildLog(logs, child.name)
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The pid, None between a death and the restart."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Spawn the child and watch over it from now on."""
        await self._spawn()
        self._task = asyncio.create_task(self._keep())

    async def stop(self, seconds: float) -> None:
        """End the child: SIGTERM, a bounded wait, SIGKILL."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(seconds):
                    await process.wait()
            except TimeoutError:
                self._log.note("killed_at_stop", child=self.child.name, after_seconds=seconds)
                process.kill()
        if self._task is not None:
            if self.pid is None:
                self._task.cancel()
            await asyncio.wait([self._task])
        self._log.close()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self.child.arguments,
            env=self.child.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for us; we end the children in order
        )
        self._on_change()

    async def _keep(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            began = time.monotonic()
            code = await self._follow()
            if self._stopping:
                return
            lived = time.monotonic() - began
            backoff = FIRST_BACKOFF_SECONDS if lived >= STABLE_SECONDS else backoff
            self._log.note("child_ended", child=self.child.name, code=code, restart_in_seconds=backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            self.restarts += 1
            await self._spawn()

    async def _follow(self) -> int:
        """Log what the child writes until it ends; its own children may hold the pipe longer."""
        process = self._process
        if process is None or process.stdout is None:
            raise RuntimeError("not spawned")
        reading = asyncio.create_task(self._read(process.stdout))
        code = await process.wait()
        await asyncio.wait([reading], timeout=1)
        reading.cancel()
        return code

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            self._log.feed(data)


class Supervisor:
    """All children of one `buddy up`, in the order of their start."""

    def __init__(
        self, children: list[Child], *, logs: Path, on_change: Callable[["Supervisor"], None]
    ) -> None:
        self._on_change = on_change
        self.keepers = [Keeper(child, logs=logs, on_change=lambda: on_change(self)) for child in children]

    async def start(self, *, seconds: float) -> None:
        """Start the broker first and the rest together; return when each says that it is ready.

        Raises:
            StartError: one was not ready in time.
        """
        brokers = [keeper for keeper in self.keepers if keeper.child.name == BROKER]
        rest = [keeper for keeper in self.keepers if keeper.child.name != BROKER]
        deadline = time.monotonic() + seconds
        for group in (brokers, rest):
            for keeper in group:
                await keeper.start()
            for keeper in group:
                await _until_ready(keeper, deadline)

    async def stop(self) -> None:
        """End all children; the broker last, since the others take their leave through it."""
        rest = [keeper for keeper in self.keepers if keeper.child.name != BROKER]
        await asyncio.gather(*(keeper.stop(STOP_SECONDS) for keeper in rest))
        for keeper in self.keepers:
            if keeper.child.name == BROKER:
                await keeper.stop(BROKER_STOP_SECONDS)


async def _until_ready(keeper: Keeper, deadline: float) -> None:
    while not (keeper.pid is not None and await keeper.child.ready()):
        if time.monotonic() >= deadline:
            raise StartError(f"{keeper.child.name} did not come up; its log says why.")
        await asyncio.sleep(READY_POLL_SECONDS)
