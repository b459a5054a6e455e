"""Programs of jobs as their callers see them: what they said, how they ended, that nothing is left."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters import child_process, process_tree, processes
from buddy_common.adapters.child_process import ChildResult, Stream, Talk, end_process_group, run_child
from buddy_common.errors import BuddyError, ProgramStartError
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity

ENVIRONMENT = {"PATH": os.environ["PATH"]}

# a program, a child of it, and an orphan in a session of its own; all hold the output, all say so
TREE = """
import os, signal, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("orphan", os.getpid(), flush=True)
        signal.pause()
    os._exit(0)
print("program", os.getpid(), flush=True)
signal.pause()
"""


class RefusedError(BuddyError):
    """What the caller says to a program that it does not want."""


@dataclass
class Caller:
    """Who runs the program, and what it heard."""

    folder: Path
    processes: list[ProcessIdentity] = field(default_factory=list)
    lines: list[tuple[Stream, str]] = field(default_factory=list)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def on_started(self, process: ProcessIdentity) -> None:
        self.processes.append(process)

    async def on_line(self, line: str, stream: Stream) -> None:
        self.lines.append((stream, line))
        self.heard.put_nowait(line)

    async def run(self, *arguments: str | Path, **options: Any) -> ChildResult:
        defaults = {"on_started": self.on_started, "on_line": self.on_line, "cwd": self.folder}
        return await run_child(arguments, **{"environment": ENVIRONMENT, **defaults, **options})

    async def run_tree(self, *arguments: str, **options: Any) -> ChildResult:
        path = self.folder / "tree.py"
        await asyncio.to_thread(path.write_text, TREE)
        return await self.run(sys.executable, "-IS", path, *arguments, **options)

    async def until_up(self) -> list[int]:
        """Return who is there, as soon as the whole tree is."""
        async with asyncio.timeout(5):
            return [int((await self.heard.get()).split()[1]) for _ in range(2)]


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


async def gone(pids: list[int]) -> bool:
    """Whether none of them lives."""
    return await asyncio.to_thread(lambda: not any(processes.identify(pid) for pid in pids))


async def test_result_holds_both_streams_as_plain_text(caller: Caller) -> None:
    done = await caller.run("sh", "-c", r"printf '\033[32mgreen\033[0m\n10%%\r90%%\r\nend'; echo oops >&2")

    assert done == ChildResult(ProcessExit(code=0), "green\n90%\nend", "oops\n", truncated=False)
    assert [line for stream, line in caller.lines if stream == "stdout"] == ["green", "90%", "end"]
    assert [line for stream, line in caller.lines if stream == "stderr"] == ["oops"]


async def test_nobody_has_to_listen(caller: Caller) -> None:
    done = await caller.run("echo", "hello", on_line=None)

    assert done.stdout == "hello\n"


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


async def test_lines_come_while_the_program_runs(caller: Caller) -> None:
    gate = caller.folder / "gate"
    await asyncio.to_thread(os.mkfifo, gate)
    work = asyncio.create_task(caller.run("sh", "-c", 'echo first; read _ <"$0"; echo last', gate))

    async with asyncio.timeout(5):
        assert await caller.heard.get() == "first"
    assert not work.done()
    await asyncio.to_thread(gate.write_text, "\n")

    async with asyncio.timeout(5):
        assert (await work).stdout == "first\nlast\n"


async def test_much_output_is_bounded_and_its_end_is_kept(caller: Caller) -> None:
    done = await caller.run("sh", "-c", "seq 1 750000; echo end", on_line=None, output_limit_bytes=100_000)

    assert done.truncated
    assert len(done.stdout) == 100_000
    assert done.stdout.endswith("\n749999\n750000\nend\n")


async def test_output_up_to_the_limit_is_whole(caller: Caller) -> None:
    done = await caller.run("sh", "-c", "printf 12345; printf 123456 >&2", output_limit_bytes=5)

    assert (done.stdout, done.stderr) == ("12345", "23456")
    assert done.truncated


async def test_long_line_is_cut_for_the_listener_and_whole_in_the_result(caller: Caller) -> None:
    long = "import sys; sys.stdout.write('x' * 1_000_000 + '\\nend\\n')"

    done = await caller.run(sys.executable, "-ISc", long)

    assert done.stdout == "x" * 1_000_000 + "\nend\n"
    assert not done.truncated
    assert [line for _, line in caller.lines] == ["x" * child_process.MAX_LINE_CHARACTERS + "…", "end"]


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


# --- ended by another process


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


async def test_question_without_a_line_end_is_heard_and_answered(caller: Caller) -> None:
    asks = "import sys; print('hello'); sys.stdout.write('number? '); sys.stdout.flush(); print(input() * 2)"
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    asked: list[str] = []

    async def on_prompt(text: str) -> None:
        asked.append(text)
        os.write(ours, b"42\n")

    try:
        result = await run_child(
            [sys.executable, "-c", asks],
            environment=ENVIRONMENT,
            cwd=caller.folder,
            on_started=caller.on_started,
            on_line=Talk(caller.on_line, on_prompt, theirs),
        )
    finally:
        os.close(theirs)
        os.close(ours)

    assert asked == ["number?"]
    assert [line for _, line in caller.lines] == ["hello", "number? 4242"]
    assert result.exit.code == 0


async def test_program_that_nobody_talks_to_reads_nothing(caller: Caller) -> None:
    result = await run_child(
        [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"],
        environment=ENVIRONMENT,
        cwd=caller.folder,
        on_started=caller.on_started,
        on_line=Talk(),
    )

    assert result.stdout == "''\n"
