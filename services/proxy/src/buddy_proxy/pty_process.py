"""A program on a terminal of its own; all that came of it ends with it."""

import asyncio
import json
import os
import termios
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters import processes
from buddy_common.adapters.child_process import KEEPER
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.process_tree import KILL_SECONDS, MARK, end_process_group
from buddy_common.errors import ProgramStartError
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity

READ_BYTES = 16 * 1024


@dataclass(frozen=True)
class Size:
    """How large the terminal is, in characters."""

    columns: int = 80
    rows: int = 24


class PtyProcess:
    """What it writes is read only when somebody asks: until then it has to wait, so nothing piles up here.

    A keeper is its parent, so that nothing of it is left behind even if this process is killed.
    """

    def __init__(self, master: int, *, stop_seconds: float) -> None:
        self.exit: ProcessExit | None = None
        self.problem: str | None = None
        self._master = master
        self._stop_seconds = stop_seconds
        self._control: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessIdentity | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ended = False
        self._waiting: set[asyncio.Future[None]] = set()

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str | Path],
        *,
        environment: dict[str, str],
        cwd: Path,
        size: Size,
        stop_seconds: float = 3.0,
    ) -> "PtyProcess":
        """Start the program.

        Raises:
            ProgramStartError: its keeper could not be started. A program that cannot be has just ended.
        """
        master, terminal = os.openpty()
        os.set_blocking(master, False)
        process = cls(master, stop_seconds=stop_seconds)
        try:
            process.resize(size)
            await process._start(arguments, environment, cwd, terminal)
        except BaseException:
            await process.stop()
            raise
        finally:
            os.close(terminal)
        return process

    async def _start(
        self, arguments: Sequence[str | Path], environment: dict[str, str], cwd: Path, terminal: int
    ) -> None:
        control, self._control = os.pipe()
        os.set_blocking(self._control, False)
        news, tell = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(news, "rb", buffering=0)
        )
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(*KEEPER, "terminal", str(control), str(tell), str(self._stop_seconds), MARK, *arguments),
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                env=environment,
                cwd=cwd,
                start_new_session=True,
                pass_fds=(control, tell),
            )
        except (OSError, ValueError) as exc:
            transport.close()
            raise ProgramStartError(f"{arguments[0]} could not be started: {exc}.") from exc
        finally:
            os.close(control)
            os.close(tell)
        self._identity = await asyncio.to_thread(processes.identify, self._process.pid)
        self._watching = asyncio.create_task(self._watch(reader, transport))
        with suppress(BrokenPipeError):  # somebody has ended the keeper; `_watch` learns of it
            os.write(self._control, b"g")

    async def _watch(self, news: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        """Wait for the end of the program, whatever else came of it."""
        try:
            while line := await news.readline():
                record = json.loads(line)
                self.problem = record.get("message")
                if "code" in record:
                    self.exit = ProcessExit(code=record["code"], signal=record["signal"])
                return
        finally:
            self._ended = True
            for waiting in self._waiting:
                _wake(waiting)
            transport.close()

    async def read(self) -> bytes:
        """Return what the program has written, empty once it has ended and all was read."""
        while True:
            try:
                return os.read(self._master, READ_BYTES)
            except BlockingIOError:
                if self._ended:
                    return b""
                await self._until_ready(writing=False)
            except OSError:  # nobody has the terminal open any more
                return b""

    async def write(self, data: bytes) -> None:
        """Give the program what was typed; waits as long as it takes none."""
        while data and not self._ended:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                await self._until_ready(writing=True)
            except OSError:
                return

    async def _until_ready(self, *, writing: bool) -> None:
        """Wait until the terminal can be read from or written to, or the program has ended."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiting)
        if writing:
            loop.add_writer(self._master, _wake, waiting)
        else:
            loop.add_reader(self._master, _wake, waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
            if writing:
                loop.remove_writer(self._master)
            else:
                loop.remove_reader(self._master)

    def resize(self, size: Size) -> None:
        """Tell the program that its terminal has another size."""
        termios.tcsetwinsize(self._master, (size.rows, size.columns))

    async def stop(self) -> None:
        """End the program and all that came of it; return when nothing is left, cancelled or not."""
        await to_its_end(self._stop())

    async def _stop(self) -> None:
        if self._control is not None:
            os.close(self._control)  # the keeper ends what it keeps
            self._control = None
        if self._process is not None:
            await self._wait_for_end(self._process)
            self._process = None
        if self._watching is not None:
            await self._watching
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    async def _wait_for_end(self, process: asyncio.subprocess.Process) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._stop_seconds + KILL_SECONDS):
                await process.wait()
        if self._identity is not None:  # also where the keeper itself was killed
            await asyncio.to_thread(end_process_group, self._identity, seconds=0)
        await process.wait()


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
