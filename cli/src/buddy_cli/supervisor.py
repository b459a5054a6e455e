"""Keeps child processes alive: restarts with back-off, logs what they write, ends them in time."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from buddy_cli.child_log import ChildLog
from buddy_cli.children import BROKER, Child
from buddy_cli.failures import StartError

FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
STABLE_SECONDS = 60.0  # after this long the next death counts as the first again
READY_POLL_SECONDS = 0.1
TELL_AGAIN_SECONDS = 2.0
# together under the 10 s that an operator waits after Ctrl-C
STOP_SECONDS = 6.0
BROKER_STOP_SECONDS = 2.0


class Keeper:
    """One child: spawned, watched, spawned again until told to stop."""

    def __init__(self, child: Child, *, logs: Path, on_change: Callable[[], Awaitable[None]]) -> None:
        self.child = child
        self.restarts = 0
        self._log = ChildLog(logs, child.name)
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._reader: threading.Thread | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The pid, None between a death and the restart."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Spawn the child and watch over it from now on.

        Raises:
            StartError: its program cannot be run.
        """
        try:
            await self._spawn()
        except OSError as exc:
            raise StartError(f"{self.child.name} cannot be run: {exc}") from exc
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
                await self._note("killed_at_stop", after_seconds=seconds)
                os.killpg(process.pid, signal.SIGKILL)  # its own session, so its own group
        if self._task is not None:
            if self.pid is None:
                self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.to_thread(self._log.close)

    async def _spawn(self) -> None:
        # a pipe of our own, not asyncio's: a process counts as ended even while its own children write on
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.child.arguments,
                env=self.child.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the children in order
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._reader = threading.Thread(target=self._log.copy_from, args=(reading,), daemon=True)
        self._reader.start()
        await self._on_change()

    async def _keep(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            began = time.monotonic()
            code = await self._ended()
            if self._stopping:
                return
            lived = time.monotonic() - began
            backoff = FIRST_BACKOFF_SECONDS if lived >= STABLE_SECONDS else backoff
            await self._note("child_ended", code=code, restart_in_seconds=backoff)
            await asyncio.sleep(backoff)
            self.restarts += 1
            while True:
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
                try:
                    await self._spawn()
                except OSError as exc:  # out of memory or of processes: that may pass
                    await self._note("restart_failed", reason=str(exc), restart_in_seconds=backoff)
                    await asyncio.sleep(backoff)
                else:
                    break

    async def _ended(self) -> int:
        """Wait until the child has ended and what it wrote is in its log, if nobody else holds the pipe."""
        if self._process is None or self._reader is None:
            raise RuntimeError("not spawned")
        code = await self._process.wait()
        await asyncio.to_thread(self._reader.join, 1)
        return code

    async def _note(self, event: str, **fields: object) -> None:
        await asyncio.to_thread(self._log.note, event, child=self.child.name, **fields)


class Supervisor:
    """All children of one `buddy up`, in the order of their start."""

    def __init__(
        self, children: list[Child], *, logs: Path, on_change: Callable[["Supervisor"], None]
    ) -> None:
        self._on_change = on_change
        self._changing = asyncio.Lock()
        self._telling_again: asyncio.Task[None] | None = None
        self.keepers = [Keeper(child, logs=logs, on_change=self._changed) for child in children]

    async def _changed(self) -> None:
        """Tell it; a full disk must not end the keeping, and what it does not take is told again later."""
        if not await self._tell() and (self._telling_again is None or self._telling_again.done()):
            self._telling_again = asyncio.create_task(self._tell_again())

    async def _tell(self) -> bool:
        """Tell it outside of the loop, one at a time; False where the disk did not take it."""
        async with self._changing:
            try:
                await asyncio.to_thread(self._on_change, self)
            except OSError:
                return False
        return True

    async def _tell_again(self) -> None:
        told = False
        while not told:
            await asyncio.sleep(TELL_AGAIN_SECONDS)
            told = await self._tell()

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
        if self._telling_again is not None:
            self._telling_again.cancel()
            await asyncio.wait([self._telling_again])
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
