"""Programs on real terminals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters import processes
from buddy_common.adapters.processes import child_environment
from buddy_common.errors import ProgramStartError
from buddy_common.schemas.processes import ProcessExit
from buddy_proxy.pty_process import PtyProcess, Size
from eventually import eventually

Start = Callable[..., Coroutine[Any, Any, PtyProcess]]

SAYS_ITS_SIZE = """
import os, signal
def tell(*_): os.write(1, b"size %d %d\\n" % os.get_terminal_size())  # print is not reentrant
signal.signal(signal.SIGWINCH, tell)
tell()
while True: signal.pause()
"""
ECHOES = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"
# one child leaves the session, both ignore what asks them to end
LEAVES_CHILDREN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("pids", os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
FLOODS = "import sys\nwhile True: sys.stdout.write('x' * 1000)"
NEVER_READS = "import time; print('here', flush=True); time.sleep(600)"


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[PtyProcess] = []

    async def begin(script: str, size: Size = Size(), **options: Any) -> PtyProcess:  # noqa: B008 - frozen
        process = await PtyProcess.start(
            [sys.executable, "-c", script],
            environment=child_environment(),
            cwd=tmp_path,
            size=size,
            **options,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        await process.stop()


async def read_until(process: PtyProcess, text: str) -> str:
    seen = ""
    async with asyncio.timeout(8):
        while text not in seen:
            data = await process.read()
            assert data, f"it has ended: {seen!r} {process.problem}"
            seen += data.decode()
    return seen


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


async def test_what_is_typed_arrives_and_what_is_written_comes_back(start: Start) -> None:
    process = await start(ECHOES)

    await process.write("你好\r".encode())

    assert "你好\r\n" in await read_until(process, "got 你好")  # the terminal's echo comes first


async def test_the_program_knows_the_size_and_every_change_of_it(start: Start) -> None:
    process = await start(SAYS_ITS_SIZE, Size(columns=132, rows=43))
    await read_until(process, "size 132 43")

    process.resize(Size(columns=50, rows=10))

    await read_until(process, "size 50 10")


async def test_ctrl_c_interrupts_the_program(start: Start) -> None:
    process = await start(NEVER_READS)
    await read_until(process, "here")

    await process.write(b"\x03")

    seen = b""
    async with asyncio.timeout(8):
        while data := await process.read():
            seen += data
    assert b"KeyboardInterrupt" in seen
    assert process.exit is not None
    assert process.exit != ProcessExit(code=0)


async def test_at_the_end_of_the_program_all_that_it_wrote_was_read(start: Start) -> None:
    process = await start("print('x' * 100_000 + 'end'); raise SystemExit(3)")

    seen = b""
    async with asyncio.timeout(8):
        while data := await process.read():
            seen += data

    assert seen.replace(b"\r\n", b"") == b"x" * 100_000 + b"end"
    assert process.exit == ProcessExit(code=3)


async def test_all_that_came_of_the_program_ends_with_it(start: Start) -> None:
    process = await start(LEAVES_CHILDREN, stop_seconds=0.2)
    pids = [int(pid) for pid in (await read_until(process, "\n")).split()[1:]]
    assert len(pids) == 2

    async with asyncio.timeout(8):
        await process.stop()

    assert [await asyncio.to_thread(processes.identify, pid) for pid in pids] == [None, None]


async def test_it_ends_also_when_its_keeper_was_killed(start: Start) -> None:
    process = await start(LEAVES_CHILDREN, stop_seconds=0.2)
    pids = [int(pid) for pid in (await read_until(process, "\n")).split()[1:]]
    assert process._process is not None

    os.kill(process._process.pid, signal.SIGKILL)
    assert await eventually(process.read, lambda data: data == b"") == b""
    await process.stop()

    assert [await asyncio.to_thread(processes.identify, pid) for pid in pids] == [None, None]


async def test_a_program_that_writes_without_end_waits_for_its_reader(start: Start) -> None:
    process = await start(FLOODS)
    await read_until(process, "x")
    assert process._process is not None
    (program,) = psutil.Process(process._process.pid).children()

    async def status() -> str:
        return program.status()

    assert await eventually(status, lambda state: state == psutil.STATUS_SLEEPING)
    assert await read_until(process, "x")  # and goes on


async def test_a_program_that_reads_nothing_makes_the_writer_wait_until_the_end(start: Start) -> None:
    process = await start("import sys, tty, time\ntty.setraw(0); print('here', flush=True)\ntime.sleep(600)")
    await read_until(process, "here")

    writing = asyncio.create_task(process.write(b"x" * 1_000_000))
    done, _ = await asyncio.wait([writing], timeout=0.2)
    assert not done

    reading = asyncio.create_task(process.read())
    await process.stop()
    async with asyncio.timeout(5):
        await writing
        await reading


async def test_a_program_that_cannot_be_executed_is_an_end_with_a_reason(tmp_path: Path) -> None:
    process = await PtyProcess.start(
        [tmp_path / "none"], environment=child_environment(), cwd=tmp_path, size=Size()
    )

    async with asyncio.timeout(8):
        assert await process.read() == b""

    assert process.problem is not None
    assert "No such file" in process.problem
    await process.stop()


async def test_a_folder_that_is_not_there_is_an_error_and_nothing_is_left_open(tmp_path: Path) -> None:
    before = descriptors()

    with pytest.raises(ProgramStartError, match="could not be started"):
        await PtyProcess.start([sys.executable], environment={}, cwd=tmp_path / "none", size=Size())

    await asyncio.sleep(0)  # the transport closes its pipe in the next turn
    assert descriptors() <= before


async def test_stopping_twice_is_fine(start: Start) -> None:
    process = await start(ECHOES)
    await process.stop()
    await process.stop()
