"""The parent of what Buddy starts, as a process: what it starts, when it ends it, what it tells."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters import child_process, processes

KEEPER: tuple[str, ...] = child_process.KEEPER
if "COVERAGE_PROCESS_CONFIG" in os.environ:  # it measures modules, and needs its own
    KEEPER = (sys.executable, "-I", "-m", "buddy_common.adapters.keeper")

SMALL_BYTES = 16 * 1024 * 1024
# ends when somebody writes to the gate
WAITER = ["/bin/sh", "-c", 'echo up; read _ <"$0"']


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What a program can wait for: the first write opens it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@dataclass
class Kept:
    """A keeper and our ends of its pipes."""

    process: subprocess.Popen[bytes]
    control: int
    status: int
    output: int

    def go(self) -> None:
        os.write(self.control, b"g")

    def hang_up(self) -> None:
        os.close(self.control)
        self.control = -1

    def read_line(self) -> str:
        """Return one line of the program's output; it must not have written more."""
        return os.read(self.output, 4096).decode().rstrip("\n")

    def news(self) -> list[dict[str, Any]]:
        """Return all that it told, once it has ended."""
        told = read_to_end(self.status)
        self.process.wait()
        return [json.loads(line) for line in told.splitlines()]

    def close(self) -> None:
        for descriptor in {self.control, self.status, self.output} - {-1}:
            os.close(descriptor)
        end_tree(self.process)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # its keeper, which has lost us, was quicker
                child.kill()
        process.kill()
    process.wait()


def read_to_end(descriptor: int) -> bytes:
    """Return once the last process that holds the other end has ended."""
    told = b""
    while part := os.read(descriptor, 65536):
        told += part
    return told


@pytest.fixture
def keepers() -> Iterator[list[Kept]]:
    """Every keeper of a test, ended with it."""
    started: list[Kept] = []
    yield started
    for kept in started:
        kept.close()


def keep_job(
    keepers: list[Kept], *arguments: str | Path, stop_seconds: float = 10, locks: tuple[int, ...] = ()
) -> Kept:
    """Start a keeper that waits for our word."""
    control, ours = os.pipe()
    status, theirs = os.pipe()
    output, out = os.pipe()
    process = subprocess.Popen(
        [*KEEPER, "job", str(control), str(theirs), str(stop_seconds), "MARK", *arguments],
        stdout=out,
        pass_fds=(control, theirs, *locks),
        start_new_session=True,
    )
    for descriptor in (control, theirs, out):
        os.close(descriptor)
    keepers.append(Kept(process, ours, status, output))
    return keepers[-1]


def script(folder: Path, text: str, *, name: str = "script.py") -> list[str | Path]:
    """Return the command of a Python program that can use `os`, `signal`, `subprocess` and `sys`."""
    path = folder / name
    path.write_text(f"import os, signal, subprocess, sys\n{text}")
    return [sys.executable, "-IS", path]


def is_locked(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_nothing_runs_when_the_caller_dies_before_it_says_go(keepers: list[Kept], tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    kept = keep_job(keepers, "/usr/bin/touch", mark)

    kept.hang_up()

    assert kept.news() == []
    assert not mark.exists()


def test_nothing_runs_when_it_is_stopped_before_it_hears_go(keepers: list[Kept], tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    kept = keep_job(keepers, "/usr/bin/touch", mark)
    kept.process.send_signal(signal.SIGSTOP)

    kept.process.send_signal(signal.SIGTERM)
    kept.go()
    kept.process.send_signal(signal.SIGCONT)

    assert kept.news() == []
    assert not mark.exists()


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("exit 0", {"code": 0, "signal": None}),
        ("exit 137", {"code": 137, "signal": None}),
        ("kill -KILL $$", {"code": None, "signal": "SIGKILL"}),
        ("kill -36 $$", {"code": None, "signal": "SIG36"}),  # a real-time signal has no name
    ],
)
def test_exit_code_and_signal_are_told_apart(
    keepers: list[Kept], program: str, ended: dict[str, Any]
) -> None:
    kept = keep_job(keepers, "/bin/sh", "-c", program)

    kept.go()

    assert kept.news() == [ended, {"done": True}]
    assert kept.process.returncode == 0


def bad_interpreter(folder: Path) -> Path:
    path = folder / "bad-interpreter"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    return path


def not_executable(folder: Path) -> Path:
    path = folder / "not-executable"
    path.write_text("#!/bin/sh\n")
    return path


FAILURES = [
    (lambda folder: folder / "missing", "FileNotFoundError", "missing: No such file or directory"),
    (bad_interpreter, "FileNotFoundError", "the interpreter that its first line names does not exist"),
    (not_executable, "PermissionError", "not-executable: Permission denied"),
    (lambda folder: folder, "PermissionError", "Permission denied"),
]


@pytest.mark.parametrize(
    ("make", "error", "says"), FAILURES, ids=["missing", "interpreter", "mode", "folder"]
)
def test_program_that_cannot_be_executed_is_told_as_such(
    keepers: list[Kept], tmp_path: Path, make: Any, error: str, says: str
) -> None:
    kept = keep_job(keepers, make(tmp_path))

    kept.go()

    failure, done = kept.news()
    assert failure["error"] == error
    assert says in failure["message"]
    assert done == {"done": True}


def test_program_is_found_on_the_path_that_it_is_given(keepers: list[Kept]) -> None:
    kept = keep_job(keepers, "sh", "-c", "echo found")

    kept.go()

    assert kept.read_line() == "found"


def test_program_gets_default_signals_an_empty_stdin_and_the_mark(keepers: list[Kept]) -> None:
    script = 'cat; grep -E "SigBlk|SigIgn" /proc/self/status; echo $MARK'
    before = signal.signal(signal.SIGRTMAX, signal.SIG_IGN)
    try:
        kept = keep_job(keepers, "/bin/sh", "-c", script)
    finally:
        signal.signal(signal.SIGRTMAX, before)

    kept.go()
    identity = processes.identify(kept.process.pid)

    assert identity is not None
    _, blocked, _, ignored, mark = read_to_end(kept.output).decode().split()
    assert signals_in(blocked) == signals_in(ignored) == set()
    assert mark == f"{identity.pid}:{identity.started}"


def signals_in(mask: str) -> set[int]:
    """Which signals a mask of /proc/PID/status holds; the C library keeps 32 and 33 to itself."""
    return {number for number in signal.valid_signals() if int(mask, 16) >> (number - 1) & 1}


TREE = """
if os.fork() == 0:
    os.setsid()  # leaves the group and the session
    if os.fork() == 0:
        print("up", flush=True)
        signal.pause()
    os._exit(0)  # and its child is an orphan
signal.pause()
"""


@pytest.mark.parametrize("how", ["end of file", "stop byte", "SIGTERM", "SIGINT", "SIGHUP"])
def test_whole_tree_ends_with_those_who_left_the_session(
    keepers: list[Kept], tmp_path: Path, how: str
) -> None:
    kept = keep_job(keepers, *script(tmp_path, TREE))
    kept.go()
    assert kept.read_line() == "up"

    if how == "end of file":
        kept.hang_up()
    elif how == "stop byte":
        kept.go()
    else:
        kept.process.send_signal(signal.Signals[how])

    assert kept.news() == [{"code": None, "signal": "SIGTERM"}, {"done": True}]
    assert read_to_end(kept.output) == b""  # nobody holds it any more


def test_program_may_end_as_it_likes_when_it_is_asked_to(keepers: list[Kept]) -> None:
    kept = keep_job(keepers, "/bin/sh", "-c", "trap 'exit 3' TERM; echo up; while :; do read _; done")
    kept.go()
    assert kept.read_line() == "up"

    kept.hang_up()

    assert kept.news() == [{"code": 3, "signal": None}, {"done": True}]


def test_tree_that_ignores_sigterm_is_killed(keepers: list[Kept], tmp_path: Path) -> None:
    ignoring = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{TREE}"
    kept = keep_job(keepers, *script(tmp_path, ignoring), stop_seconds=0.2)
    kept.go()
    assert kept.read_line() == "up"

    kept.hang_up()

    assert kept.news() == [{"code": None, "signal": "SIGKILL"}, {"done": True}]
    assert read_to_end(kept.output) == b""


@dataclass
class Caller:
    """A process that starts a keeper, and is killed."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, text: str) -> int:
        """Return where it and all that it started write to."""
        output, out = os.pipe()
        self.process = subprocess.Popen(
            script(self.folder, f"{text}\nsignal.pause()", name="caller.py"),
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        os.close(out)
        return output

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    caller = Caller(tmp_path)
    yield caller
    caller.kill()


def test_whole_tree_ends_when_the_caller_is_killed(caller: Caller, tmp_path: Path) -> None:
    tree = [str(part) for part in script(tmp_path, TREE)]
    output = caller.start(
        "control, ours = os.pipe()\n"
        f"arguments = [*{KEEPER!r}, 'job', str(control), '2', '10', 'MARK', *{tree!r}]\n"
        "subprocess.Popen(arguments, pass_fds=[control], start_new_session=True)\n"
        "os.write(ours, b'g')\n"
    )
    assert os.read(output, 100) == b"up\n"

    caller.kill()

    assert read_to_end(output) == b""  # the keeper has ended as well
    os.close(output)


# as Node.js does: what it inherited is not for those whom it starts
CLOSES_DESCRIPTORS = """
for name in os.listdir("/dev/fd"):
    if int(name) > 2:
        try:
            os.set_inheritable(int(name), False)
        except OSError:
            pass
subprocess.Popen(["/bin/sh", "-c", 'read _ <"$0"', sys.argv[1]], start_new_session=True)
"""


def test_lock_is_held_until_the_last_grandchild_has_ended(
    keepers: list[Kept], tmp_path: Path, gate: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = keep_job(keepers, *script(tmp_path, CLOSES_DESCRIPTORS), gate, locks=(lock.fileno(),))
    kept.go()
    assert os.read(kept.status, 4096) == b'{"code": 0, "signal": null}\n'  # the program itself has ended

    assert is_locked(path)
    gate.write_bytes(b"\n")

    assert kept.news() == [{"done": True}]
    assert not is_locked(path)


def test_lock_is_held_by_the_program_when_its_keeper_is_killed(
    keepers: list[Kept], tmp_path: Path, gate: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = keep_job(keepers, *WAITER, gate, locks=(lock.fileno(),))
    kept.go()
    assert kept.read_line() == "up"

    kept.process.kill()
    kept.process.wait()

    assert is_locked(path)
    gate.write_bytes(b"\n")
    assert read_to_end(kept.output) == b""
    assert not is_locked(path)


# --- gateway


@dataclass
class Gateway:
    """A keeper of a gateway, and what it told about it."""

    keeper: subprocess.Popen[bytes]
    told: dict[str, Any]
    output: int
    record: Path

    def recorded(self) -> dict[str, Any]:
        return json.loads(self.record.read_bytes())  # type: ignore[no-any-return]  # a test reads on


@pytest.fixture
def gateways() -> Iterator[list[Gateway]]:
    """Every gateway of a test, ended with it."""
    started: list[Gateway] = []
    yield started
    for gateway in started:
        if (process := processes.from_record(gateway.told)) is not None:
            processes.send_signal(process, signal.SIGKILL)
        end_tree(gateway.keeper)
        os.close(gateway.output)


def keep_gateway(
    gateways: list[Gateway],
    record: Path,
    *arguments: str | Path,
    locks: tuple[int, ...] = (),
    within: tuple[str, ...] = (),
) -> Gateway:
    """Start a gateway and return when its keeper has told us."""
    told, tell = os.pipe()
    output, out = os.pipe()
    keeper = subprocess.Popen(
        [*within, *KEEPER, "gateway", record, str(tell), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        pass_fds=(tell, *locks),
        start_new_session=True,
    )
    os.close(tell)
    os.close(out)
    line = read_to_end(told)
    os.close(told)
    gateways.append(Gateway(keeper, json.loads(line), output, record))
    return gateways[-1]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "nodes" / "local" / "gateway.json"


def test_gateway_is_recorded_as_everybody_sees_it(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)

    assert gateway.recorded() == gateway.told
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert identity == processes.identify(gateway.told["pid"])
    assert os.getsid(identity.pid) == identity.pid


def test_gateway_gets_no_descriptor_and_the_usual_umask(gateways: list[Gateway], record: Path) -> None:
    gateway = keep_gateway(gateways, record, "/bin/sh", "-c", "umask; exec ls /proc/self/fd")

    # 3 is the folder that `ls` reads
    assert read_to_end(gateway.output).decode().split() == ["0022", "0", "1", "2", "3"]


def test_lock_is_held_until_the_gateway_is_on_record(record: Path, gate: Path, tmp_path: Path) -> None:
    """Whoever started it may die before: then nobody may start another beside it."""
    path = tmp_path / "node.lock"
    reading, writing = os.pipe()
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keeper = subprocess.Popen(
            [*KEEPER, "gateway", record, str(writing), *WAITER, gate],
            pass_fds=(writing, lock.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        keeper.send_signal(signal.SIGSTOP)
    os.close(writing)
    had_recorded = record.exists()
    assert is_locked(path) or had_recorded

    keeper.send_signal(signal.SIGCONT)
    with os.fdopen(reading) as report:
        told = json.loads(report.readline())

    assert record.exists()
    assert not is_locked(path)
    os.kill(told["pid"], signal.SIGKILL)
    keeper.wait(timeout=5)


def test_gateway_and_its_keeper_hold_no_lock(
    gateways: list[Gateway], record: Path, gate: Path, tmp_path: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keep_gateway(gateways, record, *WAITER, gate, locks=(lock.fileno(),))

    assert not is_locked(path)


@pytest.mark.parametrize(
    ("last_words", "code", "name"), [("exit 5", 5, None), ("kill -SEGV $$", None, "SIGSEGV")]
)
def test_end_of_the_gateway_is_recorded(
    gateways: list[Gateway], record: Path, last_words: str, code: int | None, name: str | None
) -> None:
    gateway = keep_gateway(gateways, record, "/bin/sh", "-c", last_words)

    gateway.keeper.wait()

    recorded = gateway.recorded()
    assert recorded.pop("ended_at") == pytest.approx(time.time(), abs=60)
    assert recorded == gateway.told | {"code": code, "signal": name}
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert list(record.parent.iterdir()) == [record]


def test_no_signal_to_the_keeper_reaches_the_gateway(
    gateways: list[Gateway], record: Path, gate: Path
) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    assert os.read(gateway.output, 100) == b"up\n"

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        os.killpg(gateway.keeper.pid, number)
    gate.write_bytes(b"\n")
    gateway.keeper.wait()

    assert gateway.recorded()["code"] == 0


def test_gateway_outlives_its_keeper(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    assert os.read(gateway.output, 100) == b"up\n"

    gateway.keeper.kill()
    gateway.keeper.wait()

    identity = processes.from_record(gateway.recorded())
    assert identity is not None
    assert processes.is_alive(identity)
    assert "ended_at" not in gateway.recorded()
    gate.write_bytes(b"\n")  # it reads, so it lives
    assert read_to_end(gateway.output) == b""


def test_gateway_and_keeper_outlive_the_caller(caller: Caller, record: Path, gate: Path) -> None:
    output = caller.start(
        f"arguments = [*{KEEPER!r}, 'gateway', {str(record)!r}, '2', *{[*WAITER, str(gate)]!r}]\n"
        "subprocess.Popen(arguments, start_new_session=True)\n"
    )
    assert os.read(output, 100) == b"up\n"

    caller.kill()
    gate.write_bytes(b"\n")

    assert read_to_end(output) == b""  # gateway and keeper have both ended
    os.close(output)
    assert json.loads(record.read_bytes())["code"] == 0


# lets no file grow; the pipes of the test are none
FULL_DISK = ("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh")


def test_full_disk_does_not_cost_the_gateway_its_life(
    gateways: list[Gateway], record: Path, gate: Path
) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate, within=FULL_DISK)

    assert gateway.told.pop("problem") == f"{record}: File too large"
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert processes.is_alive(identity)
    assert list(record.parent.iterdir()) == []
    gate.write_bytes(b"\n")
    assert gateway.keeper.wait() == 0


def test_folder_that_cannot_be_written_does_not_cost_the_gateway_its_life(
    gateways: list[Gateway], tmp_path: Path, gate: Path
) -> None:
    (tmp_path / "file").touch()

    gateway = keep_gateway(gateways, tmp_path / "file" / "gateway.json", *WAITER, gate)

    assert gateway.told.pop("problem").endswith("File exists")
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert processes.is_alive(identity)


def test_record_of_the_next_gateway_is_left_alone(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    record.write_text("the next one was quicker")

    gate.write_bytes(b"\n")
    gateway.keeper.wait()

    assert record.read_text() == "the next one was quicker"


@pytest.mark.parametrize(
    ("make", "error", "says"), FAILURES, ids=["missing", "interpreter", "mode", "folder"]
)
def test_gateway_that_cannot_be_executed_is_told_as_such(
    gateways: list[Gateway], record: Path, tmp_path: Path, make: Any, error: str, says: str
) -> None:
    gateway = keep_gateway(gateways, record, make(tmp_path))

    assert gateway.told["error"] == error
    assert says in gateway.told["message"]
    assert gateway.keeper.wait() == 0
    assert not record.exists()


def test_keeper_is_small(gateways: list[Gateway], record: Path, gate: Path) -> None:
    if KEEPER is not child_process.KEEPER:
        pytest.skip("coverage measures itself")
    gateway = keep_gateway(gateways, record, *WAITER, gate)

    assert psutil.Process(gateway.keeper.pid).memory_info().rss < SMALL_BYTES
