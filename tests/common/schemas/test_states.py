"""Closed sets, and what follows from their members."""

import pytest

from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.schemas.tasks import TaskStatus


@pytest.mark.parametrize("status", TaskStatus)
def test_task_is_over_unless_it_waits_or_runs(status: TaskStatus) -> None:
    assert status.is_final is (status.value not in {"Queued", "Running"})


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (ProcessExit(code=0), "exit code 0"),
        (ProcessExit(code=78), "exit code 78"),
        (ProcessExit(signal="SIGKILL"), "killed by SIGKILL"),
        (ProcessExit(), "exit code unknown"),
    ],
)
def test_ending_of_a_process_is_told_in_words(ending: ProcessExit, text: str) -> None:
    assert str(ending) == text


def test_process_is_the_same_by_pid_and_start_whatever_it_calls_itself() -> None:
    process = ProcessIdentity(7, 1.5, "node")

    assert process == ProcessIdentity(7, 1.5, "openclaw-gateway", is_gateway=True)
    assert process != ProcessIdentity(7, 1.6, "node")
    assert process != ProcessIdentity(8, 1.5, "node")
