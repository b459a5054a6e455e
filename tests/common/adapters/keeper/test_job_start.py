"""The parent of a job, as a process: when it starts the program, and as what."""

import signal
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import processes
from common.adapters.keeper.scene import FAILURES, Kept, keep_job, read_to_end


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
