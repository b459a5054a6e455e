"""Keeping children alive when the machine is in trouble: full, slow, or with strange programs."""

import asyncio
import contextlib
import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from buddy_cli import supervisor as module
from buddy_cli.failures import StartError
from buddy_cli.state import ProcessRecord, wait_gone
from buddy_cli.supervisor import Supervisor

if TYPE_CHECKING:
    from cli.conftest import MakeChild, Supervised, Until

LIVE = "READY.touch(); time.sleep(60)"
DIE = "READY.touch(); sys.exit(3)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); READY.touch(); time.sleep(60)"
WITH_GRANDCHILD = """
import subprocess
child = subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(30)"])
with open(os.path.join(os.environ["FOLDER"], "grandchildren"), "a") as file:
    print(child.pid, file=file)
"""


async def always() -> bool:
    return True


@pytest.fixture
def grandchildren(tmp_path: Path) -> Iterator[Path]:
    """A file into which children write the pids of their children, which end with the test."""
    file = tmp_path / "grandchildren"
    yield file
    for pid in file.read_text().split():
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(int(pid)).kill()


async def test_a_pipe_that_a_grandchild_holds_does_not_delay_the_restart(
    make_child: "MakeChild", supervised: "Supervised", until: "Until", grandchildren: Path
) -> None:
    child = make_child("web", WITH_GRANDCHILD + DIE, ready=always)
    async with supervised(child) as supervisor:
        await until(lambda: supervisor.keepers[0].restarts >= 1)
        assert await asyncio.to_thread(grandchildren.exists)


async def test_what_is_killed_takes_its_own_children_along(
    make_child: "MakeChild",
    supervised: "Supervised",
    grandchildren: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    async with supervised(make_child("web", WITH_GRANDCHILD + STUBBORN)):
        pid = int(await asyncio.to_thread(grandchildren.read_text))
        grandchild = await asyncio.to_thread(ProcessRecord.of, pid)

    assert grandchild is not None
    assert await asyncio.to_thread(wait_gone, grandchild, seconds=2)


async def test_a_program_that_cannot_be_run_fails_the_start_in_one_line(
    make_child: "MakeChild", supervised: "Supervised", tmp_path: Path
) -> None:
    child = replace(make_child("web", LIVE), arguments=[str(tmp_path / "missing")])

    with pytest.raises(StartError, match="web"):
        async with supervised(child):
            pass


class Counted(list[str]):
    """A command line that knows how often it was tried."""

    times_read = 0

    def __iter__(self) -> Iterator[str]:
        self.times_read += 1
        return super().__iter__()


async def test_a_restart_that_fails_is_tried_again(
    make_child: "MakeChild", supervised: "Supervised", until: "Until", tmp_path: Path
) -> None:
    """As when the machine is out of memory or of processes for a moment."""
    program = tmp_path / "program"
    away = tmp_path / "away"
    program.write_text(f"#!/bin/sh\n: > {tmp_path / 'web.ready'}\nexec sleep 60\n")
    program.chmod(0o755)
    arguments = Counted([str(program)])
    child = replace(make_child("web", LIVE), arguments=arguments)

    async with supervised(child) as supervisor:
        keeper = supervisor.keepers[0]
        first = keeper.pid
        assert first is not None
        await asyncio.to_thread(program.rename, away)
        psutil.Process(first).kill()
        await until(lambda: keeper.pid is None)
        await until(lambda: arguments.times_read >= 3)  # the start and two failing restarts
        await asyncio.to_thread(away.rename, program)
        await until(lambda: keeper.pid is not None)


async def test_a_full_disk_does_not_end_the_keeping(
    make_child: "MakeChild", supervised: "Supervised", until: "Until"
) -> None:
    """The state file cannot be written any more; the children matter more."""
    full = False

    def save(_supervisor: Supervisor) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    async with supervised(make_child("web", LIVE, ready=always), on_change=save) as supervisor:
        keeper = supervisor.keepers[0]
        full = True
        for restarts in (1, 2, 3):
            pid = keeper.pid
            assert pid is not None
            psutil.Process(pid).kill()
            await until(lambda expected=restarts: keeper.restarts == expected and keeper.pid is not None)  # type: ignore[misc]  # a default binds the loop's value


async def test_what_a_full_disk_did_not_take_is_told_when_there_is_room_again(
    make_child: "MakeChild", supervised: "Supervised", until: "Until", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `buddy down`, and the next `buddy up`, would look for processes that are long gone."""
    monkeypatch.setattr(module, "TELL_AGAIN_SECONDS", 0.05)
    full, refused = False, 0
    told: list[int | None] = []

    def save(supervisor: Supervisor) -> None:
        nonlocal refused
        if full:
            refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        told.append(supervisor.keepers[0].pid)

    async with supervised(make_child("web", LIVE, ready=always), on_change=save) as supervisor:
        keeper = supervisor.keepers[0]
        full, first = True, keeper.pid
        assert first is not None
        psutil.Process(first).kill()
        await until(lambda: refused >= 2)
        full = False
        await until(lambda: told[-1] not in (None, first) and told[-1] == keeper.pid)
