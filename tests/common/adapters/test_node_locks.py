"""The locks of a node: one holder, whatever its process, until the last of a job's programs has ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.job import NodeLock

LIFECYCLE, CONFIG = {NodeLock.LIFECYCLE}, {NodeLock.CONFIG}
BOTH = LIFECYCLE | CONFIG
HOLDER = """
import sys
from pathlib import Path
from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.schemas.job import NodeLock
held = NodeLocks(Path(sys.argv[1])).try_hold({NodeLock.LIFECYCLE})
print("held" if held else "not held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path: Path) -> NodeLocks:
    return NodeLocks(tmp_path / "node")


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lifecycle lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "node")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_has_one_holder_at_a_time(locks: NodeLocks) -> None:
    held = locks.try_hold(LIFECYCLE)
    assert held is not None
    assert locks.try_hold(LIFECYCLE) is None

    held.release()
    held.release()  # once more does nothing

    again = locks.try_hold(LIFECYCLE)
    assert again is not None
    again.release()


def test_locks_of_different_names_do_not_know_each_other(locks: NodeLocks) -> None:
    lifecycle, config = locks.try_hold(LIFECYCLE), locks.try_hold(CONFIG)

    assert lifecycle is not None
    assert config is not None
    lifecycle.release()
    config.release()


def test_whoever_cannot_have_all_has_none(locks: NodeLocks) -> None:
    held = locks.try_hold(LIFECYCLE)
    assert held is not None

    assert locks.try_hold(BOTH) is None

    assert locks.are_free(CONFIG)
    held.release()


def test_a_job_that_needs_no_lock_always_has_it(locks: NodeLocks) -> None:
    held = locks.try_hold(())
    assert held is not None
    assert held.descriptors == ()


def test_who_only_looks_keeps_nobody_out(locks: NodeLocks) -> None:
    assert locks.are_free(BOTH)
    held = locks.try_hold(BOTH)
    assert held is not None

    assert not locks.are_free(CONFIG)
    assert not locks.are_free(BOTH)

    held.release()
    assert locks.are_free(BOTH)


def test_the_lock_of_another_process_counts_until_it_is_killed(
    locks: NodeLocks, holder: "subprocess.Popen[str]"
) -> None:
    assert locks.try_hold(LIFECYCLE) is None
    assert not locks.are_free(LIFECYCLE)

    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=5)

    held = locks.try_hold(LIFECYCLE)
    assert held is not None
    held.release()


def test_a_program_that_is_given_the_descriptor_holds_the_lock_until_it_ends(locks: NodeLocks) -> None:
    held = locks.try_hold(CONFIG)
    assert held is not None
    program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=held.descriptors)

    held.release()
    assert locks.try_hold(CONFIG) is None

    program.communicate()
    again = locks.try_hold(CONFIG)
    assert again is not None
    again.release()


def test_a_program_that_is_given_nothing_has_no_part_in_the_lock(locks: NodeLocks) -> None:
    """A gateway outlives its job; it must not keep the next one out."""
    held = locks.try_hold(LIFECYCLE)
    assert held is not None
    program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)

    held.release()

    assert program.poll() is None
    assert locks.are_free(LIFECYCLE)
    program.communicate()


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    locks = NodeLocks(tmp_path / "file" / "node")

    with pytest.raises(StateUnwritableError, match=r"lifecycle\.lock cannot be opened"):
        locks.try_hold(LIFECYCLE)


def test_failing_leaves_no_descriptor_open(locks: NodeLocks) -> None:
    held = locks.try_hold(CONFIG)
    assert held is not None
    before = len(list(Path("/dev/fd").iterdir()))

    assert locks.try_hold(BOTH) is None
    assert not locks.are_free(BOTH)

    assert len(list(Path("/dev/fd").iterdir())) == before
    held.release()
