"""Runs a program of a job, and all that it starts, to its end; a keeper is the parent of it all."""

import asyncio
import json
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from buddy_common.adapters import processes
from buddy_common.adapters.process_tree import KILL_SECONDS, MARK, end_process_group
from buddy_common.adapters.terminal_text import LineSplitter, plain_text
from buddy_common.errors import ProgramStartError
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity

Stream = Literal["stdout", "stderr"]
OnStarted = Callable[[ProcessIdentity], Awaitable[None]]
OnLine = Callable[[str, Stream], Awaitable[None]]
OnPrompt = Callable[[str], Awaitable[None]]

# isolated from the environment and from our packages, so that it stays small
KEEPER = (sys.executable, "-IS", str(Path(__file__).with_name("keeper.py")))
OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
MAX_LINE_CHARACTERS = 4000
READ_BYTES = 64 * 1024

__all__ = [
    "KEEPER",
    "ChildResult",
    "OnLine",
    "OnStarted",
    "Stream",
    "Talk",
    "end_process_group",
    "run_child",
]


@dataclass(frozen=True)
class Talk:
    """Who hears a program, and answers it.

    `on_prompt` gets what stands on stdout without a line end so far; the program reads from `stdin`.
    """

    on_line: OnLine | None = None
    on_prompt: OnPrompt | None = None
    stdin: int | None = None


@dataclass(frozen=True)
class ChildResult:
    """What a program that has ended left: plain text, only the last of it where it was too much."""

    exit: ProcessExit
    stdout: str
    stderr: str
    truncated: bool


async def run_child(
    arguments: Sequence[str | Path],
    *,
    environment: dict[str, str],
    cwd: Path,
    lock_descriptors: Sequence[int] = (),
    on_started: OnStarted,
    on_line: OnLine | Talk | None = None,
    output_limit_bytes: int = OUTPUT_LIMIT_BYTES,
    stop_seconds: float = 10.0,
) -> ChildResult:
    """Run a program and return when the last process that came of it has ended.

    `on_started` gets the process that `end_process_group` can end, before the program runs; if it
    raises, the program never does. The locks are held until the last process has ended, even without us.
    Cancelled, or let down by `on_line`, it ends them all before it raises: SIGTERM, `stop_seconds`,
    SIGKILL. `output_limit_bytes` counts for each stream.

    Raises:
        ProgramStartError: the program, or its keeper, could not be executed.
    """
    talk = on_line if isinstance(on_line, Talk) else Talk(on_line)
    child = _Child(talk, output_limit_bytes, stop_seconds)
    try:
        await child.start(arguments, environment, cwd, lock_descriptors)
        await on_started(await child.identify(Path(arguments[0]).name))
        return await child.run()
    except BaseException:  # whatever it was, nothing is left running
        await _to_its_end(child.stop())
        raise
    finally:
        child.close()


class _Child:
    """A keeper with a program, and what both of them say."""

    def __init__(self, talk: Talk, output_limit_bytes: int, stop_seconds: float) -> None:
        self._talk = talk
        self._output_limit_bytes = output_limit_bytes
        self._stop_seconds = stop_seconds
        self._pid = 0
        self._identity: ProcessIdentity | None = None
        self._control: int | None = None
        self._theirs: list[int] = []
        self._transports: list[asyncio.ReadTransport] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(
        self,
        arguments: Sequence[str | Path],
        environment: dict[str, str],
        cwd: Path,
        lock_descriptors: Sequence[int],
    ) -> None:
        """Start the keeper, which waits for `run`."""
        stdin = self._talk.stdin
        mode, given = (["job"], []) if stdin is None else (["talk", str(stdin)], [stdin])
        control, self._control = os.pipe()
        os.set_blocking(self._control, False)
        self._theirs.append(control)
        try:
            self._news, tell = await self._listen()
            self._stdout, stdout = await self._listen()
            self._stderr, stderr = await self._listen()
            process = await asyncio.create_subprocess_exec(
                *(*KEEPER, *mode, "0", str(tell), str(self._stop_seconds), MARK, *arguments),
                stdin=control,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=cwd,
                start_new_session=True,
                pass_fds=(tell, *given, *lock_descriptors),
            )
        except (OSError, ValueError) as exc:
            raise ProgramStartError(f"{arguments[0]} could not be started: {exc}.") from exc
        finally:
            for descriptor in self._theirs:
                os.close(descriptor)
        self._pid = process.pid
        self._tasks.append(asyncio.create_task(process.wait()))

    async def _listen(self) -> tuple[asyncio.StreamReader, int]:
        """Return where we read, and the descriptor where they write."""
        ours, theirs = os.pipe()
        self._theirs.append(theirs)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
        )
        self._transports.append(transport)
        return reader, theirs

    async def identify(self, name: str) -> ProcessIdentity:
        """Return the keeper, under the name of what it keeps."""
        identity = await asyncio.to_thread(processes.identify, self._pid)
        if identity is None:
            raise ProgramStartError(f"{name} could not be started: its keeper has ended at once.")
        self._identity = replace(identity, name=name)
        return self._identity

    async def run(self) -> ChildResult:
        """Let the program run, and return when nothing of it is left."""
        if self._control is not None:
            with suppress(BrokenPipeError):  # somebody has ended the keeper; `_watch` learns of it
                os.write(self._control, b"g")
        watching = asyncio.create_task(self._watch())
        reading = [
            asyncio.create_task(self._read(self._stdout, "stdout")),
            asyncio.create_task(self._read(self._stderr, "stderr")),
        ]
        self._tasks += [watching, *reading]
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        stdout, stderr = [task.result() for task in reading]
        return await asyncio.to_thread(_result, watching.result(), stdout, stderr)

    async def _watch(self) -> ProcessExit:
        """Return how the program ended, once its keeper has ended; it has, when it says no more."""
        news = [json.loads(line) for line in (await self._news.read()).splitlines()]
        if {"done": True} not in news and self._identity is not None:  # somebody has killed it
            await asyncio.to_thread(end_process_group, self._identity, seconds=0)
        for record in news:
            if "error" in record:
                raise ProgramStartError(f"{record['message']}.")
            if "code" in record:
                return ProcessExit(code=record["code"], signal=record["signal"])
        return ProcessExit()

    async def _read(self, reader: asyncio.StreamReader, stream: Stream) -> "_Tail":
        tail = _Tail(self._output_limit_bytes)
        lines = LineSplitter(MAX_LINE_CHARACTERS)
        while data := await reader.read(READ_BYTES):
            tail.add(data)
            await self._hear(lines.feed(data), stream)
            if self._talk.on_prompt is not None and stream == "stdout" and (prompt := lines.pending):
                await self._talk.on_prompt(prompt)
        await self._hear(lines.end(), stream)
        return tail

    async def _hear(self, lines: list[str], stream: Stream) -> None:
        if self._talk.on_line is not None:
            for line in lines:
                await self._talk.on_line(line, stream)

    async def stop(self) -> None:
        """End whatever is left, and return when it is gone; after a while it is killed from here."""
        self.hang_up()
        if not self._tasks:  # it was not even started
            return
        _, left = await asyncio.wait(self._tasks, timeout=self._stop_seconds + KILL_SECONDS)
        if left and self._identity is not None:
            await asyncio.to_thread(end_process_group, self._identity, seconds=0)
        for task in left - {self._tasks[0]}:  # a listener that hangs
            task.cancel()
        await asyncio.wait(self._tasks, timeout=KILL_SECONDS)
        self._tasks[0].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        """Tell the keeper to end the program, or never to begin."""
        control, self._control = self._control, None
        if control is not None:
            os.close(control)

    def close(self) -> None:
        """Let go of the pipes."""
        self.hang_up()
        for transport in self._transports:
            transport.close()


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.cut = False
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= self._limit:
            self._size -= len(self._chunks.popleft())
            self.cut = True

    def text(self) -> str:
        data = b"".join(self._chunks)
        self.cut |= len(data) > self._limit
        return plain_text(data[-self._limit :].decode(errors="replace"))


def _result(ended: ProcessExit, stdout: _Tail, stderr: _Tail) -> ChildResult:
    out, err = stdout.text(), stderr.text()
    return ChildResult(ended, out, err, truncated=stdout.cut or stderr.cut)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await something to its end, however often we are cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
