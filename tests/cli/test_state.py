"""What `up` leaves on disk, and ending processes by it: never one that only has the same pid."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buddy_cli.state import ProcessRecord, UpState, end_processes, wait_gone

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
FOREVER = "print(1, flush=True)"
# a parent that never asks how its child ended: the child stays a zombie
NEGLIGENT = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'input()'],"
    " stdin=subprocess.PIPE); print(child.pid, flush=True); time.sleep(60)"
)


class Processes:
    """Starts Python processes and ends them with the test."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, code: str) -> tuple[subprocess.Popen[str], str]:
        """Start a process and return it with its first line."""
        command = [sys.executable, "-ISc", f"{code}; import time; time.sleep(60)"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.end()


def record_of(pid: int) -> ProcessRecord:
    record = ProcessRecord.of(pid)
    assert record is not None
    return record


def test_what_was_saved_is_loaded_and_still_means_the_same_processes(tmp_path: Path) -> None:
    me = record_of(os.getpid())
    state = UpState(
        supervisor=me,
        url="http://127.0.0.1:3000",
        flower_url=None,
        children={"web": me},
        restarts={"web": 2},
    )
    file = tmp_path / "run" / "up.json"
    state.save(file)

    loaded = UpState.load(file)

    assert loaded == state
    assert loaded.supervisor.alive
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert UpState.load(tmp_path / "up.json") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b'{"supervisor": {"pid": 1', b"[]", b"null", b'{"pid": 1}'],
)
def test_a_file_that_is_not_ours_is_no_state(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "up.json"
    file.write_bytes(content)

    assert UpState.load(file) is None


def test_a_dead_process_has_no_record(processes: Processes) -> None:
    process, _ = processes.start(FOREVER)
    process.kill()
    process.wait()

    assert ProcessRecord.of(process.pid) is None


def test_a_zombie_is_not_alive(processes: Processes) -> None:
    _, pid = processes.start(NEGLIGENT)
    record = record_of(int(pid))

    os.kill(record.pid, signal.SIGKILL)

    assert wait_gone(record, seconds=2)
    assert not record.alive
    assert ProcessRecord.of(record.pid) is None


def test_end_processes_does_not_wait_for_the_parent_of_a_zombie(processes: Processes) -> None:
    _, pid = processes.start(NEGLIGENT)
    record = record_of(int(pid))
    began = time.monotonic()

    end_processes([record], seconds=2)

    assert not record.alive
    assert time.monotonic() - began < 1.5


def test_end_processes_ends_one_that_obeys_at_once(processes: Processes) -> None:
    process, _ = processes.start(FOREVER)
    began = time.monotonic()

    end_processes([record_of(process.pid)], seconds=5)

    assert process.wait() in (-signal.SIGTERM, None, 0)
    assert time.monotonic() - began < 4


def test_end_processes_kills_what_ignores_sigterm_within_one_bound(processes: Processes) -> None:
    stubborn = [processes.start(STUBBORN)[0] for _ in range(3)]
    records = [record_of(process.pid) for process in stubborn]
    began = time.monotonic()

    end_processes(records, seconds=0.5)

    assert not any(record.alive for record in records)
    assert time.monotonic() - began < 3


def test_end_processes_never_touches_a_pid_with_another_start_time(processes: Processes) -> None:
    process, _ = processes.start(FOREVER)
    right = record_of(process.pid)
    wrong = ProcessRecord(pid=right.pid, started=right.started - 10)

    end_processes([wrong], seconds=0.2)
    wrong.signal(signal.SIGKILL)

    assert not wrong.alive
    assert right.alive
    assert process.poll() is None


def test_wait_gone_gives_up_when_the_time_is_up(processes: Processes) -> None:
    process, _ = processes.start(FOREVER)

    assert not wait_gone(record_of(process.pid), seconds=0.1)
