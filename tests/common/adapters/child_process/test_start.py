"""Programs of jobs: what they are started with, and that one which cannot be started is told."""

import asyncio
import os

import pytest

from buddy_common.adapters import child_process, process_tree, processes
from buddy_common.errors import ProgramStartError
from buddy_common.schemas.processes import ProcessIdentity
from common.adapters.child_process.caller import ENVIRONMENT, Caller, RefusedError, gone


async def test_program_gets_its_environment_its_folder_and_no_more(caller: Caller) -> None:
    done = await caller.run("sh", "-c", "env; pwd; ls /proc/self/fd", environment={**ENVIRONMENT, "A": "b"})

    *lines, folder, stdin, stdout, stderr, listing = done.stdout.split()
    names = {line.partition("=")[0] for line in lines}
    assert names - {"_", "OLDPWD", "LC_CTYPE", "SHLVL"} == {"A", "PATH", "PWD", process_tree.MARK}
    assert folder == str(caller.folder)
    assert [stdin, stdout, stderr, listing] == ["0", "1", "2", "3"]


async def test_process_is_known_before_the_program_runs(caller: Caller) -> None:
    mark = caller.folder / "ran"

    async def check(process: ProcessIdentity) -> None:
        assert await asyncio.to_thread(processes.is_alive, process)
        assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
        assert str(process) == f"touch (pid {process.pid})"
        assert not await asyncio.to_thread(mark.exists)

    await caller.run("touch", mark, on_started=check)

    assert await asyncio.to_thread(mark.exists)


async def test_program_never_runs_when_its_process_cannot_be_recorded(caller: Caller) -> None:
    mark = caller.folder / "ran"

    async def refuse(process: ProcessIdentity) -> None:
        caller.processes.append(process)
        raise RefusedError("The database is gone.")

    with pytest.raises(RefusedError):
        await caller.run("touch", mark, on_started=refuse)

    assert not await asyncio.to_thread(mark.exists)
    assert await gone([caller.processes[0].pid])


async def test_program_that_is_not_there_cannot_be_started(caller: Caller) -> None:
    with pytest.raises(ProgramStartError, match=r"missing: No such file or directory\."):
        await caller.run(caller.folder / "missing")


async def test_folder_that_is_not_there_is_told(caller: Caller) -> None:
    with pytest.raises(ProgramStartError, match="could not be started"):
        await caller.run("echo", cwd=caller.folder / "missing")


async def test_keeper_that_cannot_run_is_told(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "KEEPER", ("/bin/true",))
    monkeypatch.setattr(processes, "identify", lambda _pid: None)

    with pytest.raises(ProgramStartError, match="its keeper has ended at once"):
        await caller.run("echo")
