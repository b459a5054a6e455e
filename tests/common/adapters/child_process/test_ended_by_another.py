"""Programs of jobs that another process ends: a reaper, or whoever kills their keeper or caller."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from buddy_common.adapters import process_tree, processes
from buddy_common.adapters.child_process import end_process_group
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from common.adapters.child_process.caller import TREE, Caller, gone


async def test_reaper_ends_the_tree_and_the_caller_learns_of_it(caller: Caller) -> None:
    work = asyncio.create_task(caller.run_tree())
    pids = await caller.until_up()

    assert await asyncio.to_thread(end_process_group, caller.processes[0], seconds=5)

    assert await gone(pids)
    assert (await work).exit == ProcessExit(signal="SIGTERM")


@pytest.mark.parametrize("manner", ["", "stubborn"])
async def test_reaper_kills_what_does_not_end_in_time(caller: Caller, manner: str) -> None:
    work = asyncio.create_task(caller.run_tree(manner))
    pids = await caller.until_up()
    os.kill(caller.processes[0].pid, signal.SIGSTOP)  # a keeper that hangs

    assert await asyncio.to_thread(end_process_group, caller.processes[0], seconds=0.1)

    assert await gone([*pids, caller.processes[0].pid])
    await work


async def test_nothing_is_left_of_a_keeper_that_was_killed(caller: Caller) -> None:
    work = asyncio.create_task(caller.run_tree())
    pids = await caller.until_up()

    os.kill(caller.processes[0].pid, signal.SIGKILL)

    async with asyncio.timeout(5):
        assert (await work).exit == ProcessExit()  # nobody knows
    assert await gone(pids)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of our business."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_process_with_a_used_pid_is_never_signalled(bystander: subprocess.Popen[bytes]) -> None:
    identity = processes.identify(bystander.pid)
    assert identity is not None
    before_it = ProcessIdentity(identity.pid, identity.started - 100, identity.name)

    assert end_process_group(before_it, seconds=0)

    assert processes.is_alive(identity)


def test_process_that_cannot_be_ended_is_told(
    bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "KILL_SECONDS", 0.05)
    monkeypatch.setattr(psutil.Process, "kill", lambda _: None)  # it hangs in the kernel
    identity = processes.identify(bystander.pid)
    assert identity is not None
    bystander.send_signal(signal.SIGSTOP)  # so that SIGTERM does nothing either
    os.waitid(os.P_PID, bystander.pid, os.WSTOPPED)

    assert not end_process_group(identity, seconds=0)


DYING_CALLER = '''
import asyncio, json
from pathlib import Path
from buddy_common.adapters import processes
from buddy_common.adapters.child_process import run_child

async def say(process):
    print(json.dumps(processes.to_record(process)), flush=True)

async def hear(line, stream):
    print(line, flush=True)

asyncio.run(run_child(
    [{python!r}, "-ISc", """{tree}"""], environment={{}}, cwd=Path("/"), on_started=say, on_line=hear
))
'''


@pytest.fixture
def dying_caller(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs a tree."""
    program = tmp_path / "caller.py"
    program.write_text(DYING_CALLER.format(python=sys.executable, tree=TREE))
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_what_a_dead_caller_left_is_ended_by_the_recorded_process(
    dying_caller: subprocess.Popen[bytes],
) -> None:
    assert dying_caller.stdout is not None
    keeper = processes.from_record(json.loads(dying_caller.stdout.readline()))
    assert keeper is not None
    pids = [int(dying_caller.stdout.readline().split()[1]) for _ in range(2)]

    dying_caller.kill()
    dying_caller.wait()
    assert end_process_group(keeper, seconds=5)

    assert not any(processes.identify(pid) for pid in [*pids, keeper.pid])
