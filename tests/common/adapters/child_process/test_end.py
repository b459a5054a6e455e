"""Programs of jobs: how they ended, and that nothing is left of them."""

import asyncio
import fcntl
import os

import pytest

from buddy_common.adapters import child_process
from buddy_common.adapters.child_process import Stream
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from common.adapters.child_process.caller import Caller, RefusedError, gone


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("exit 0", ProcessExit(code=0)),
        ("exit 137", ProcessExit(code=137)),
        ("kill -KILL $$", ProcessExit(signal="SIGKILL")),
    ],
)
async def test_exit_code_and_signal_are_told_apart(caller: Caller, program: str, ended: ProcessExit) -> None:
    done = await caller.run("sh", "-c", program)

    assert done.exit == ended


async def test_it_ends_with_the_last_grandchild(caller: Caller) -> None:
    gate = caller.folder / "gate"
    await asyncio.to_thread(os.mkfifo, gate)
    # the grandchild has none of the pipes that we read
    program = '(echo $$; read _ <"$0"; touch "$0.passed") >"$0.out" 2>&1 & echo up'
    work = asyncio.create_task(caller.run("sh", "-c", program, gate))

    async with asyncio.timeout(5):
        assert await caller.heard.get() == "up"
        await asyncio.to_thread(gate.write_text, "\n")
        done = await work

    assert done.exit == ProcessExit(code=0)
    assert await asyncio.to_thread(gate.with_name("gate.passed").exists)


@pytest.mark.parametrize("manner", ["", "stubborn"])
async def test_cancelled_it_leaves_nothing(caller: Caller, manner: str) -> None:
    stop_seconds = 0.2 if manner else 10.0
    work = asyncio.create_task(caller.run_tree(manner, stop_seconds=stop_seconds))
    pids = await caller.until_up()

    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert await gone([*pids, caller.processes[0].pid])


async def test_past_its_deadline_it_leaves_nothing(caller: Caller) -> None:
    async def expire(process: ProcessIdentity) -> None:
        caller.processes.append(process)

    async with asyncio.timeout(None) as limit:
        work = asyncio.ensure_future(caller.until_up())
        work.add_done_callback(lambda _: limit.reschedule(0))
        with pytest.raises(asyncio.CancelledError):
            await caller.run_tree(on_started=expire)
        pids = work.result()
        assert await gone([*pids, caller.processes[0].pid])


async def test_second_cancel_does_not_leave_the_tree_behind(caller: Caller) -> None:
    work = asyncio.create_task(caller.run_tree("stubborn", stop_seconds=0.3))
    pids = await caller.until_up()

    for _ in range(3):
        work.cancel()
        await asyncio.sleep(0)  # lets it begin to stop
    with pytest.raises(asyncio.CancelledError):
        await work

    assert await gone(pids)


async def test_listener_that_fails_ends_the_program(caller: Caller) -> None:
    async def fail(line: str, _stream: Stream) -> None:
        caller.heard.put_nowait(line)
        raise RefusedError("No more, please.")

    with pytest.raises(RefusedError):
        await caller.run_tree(on_line=fail)

    assert await gone([caller.processes[0].pid])


async def test_listener_that_hangs_does_not_hold_up_the_end(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "KILL_SECONDS", 0.5)

    async def hang(line: str, _stream: Stream) -> None:
        caller.heard.put_nowait(line)
        await asyncio.Event().wait()

    work = asyncio.create_task(caller.run_tree(on_line=hang, stop_seconds=0.1))
    async with asyncio.timeout(5):
        await caller.heard.get()

        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    assert await gone([caller.processes[0].pid])


async def test_lock_is_held_while_anything_runs(caller: Caller) -> None:
    path = caller.folder / "node.lock"
    with await asyncio.to_thread(path.open, "ab") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        work = asyncio.create_task(caller.run_tree(lock_descriptors=[lock.fileno()]))
        await caller.until_up()
    with await asyncio.to_thread(path.open, "ab") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

        work.cancel()
        await asyncio.wait([work])

        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
