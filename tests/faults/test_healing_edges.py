"""What surrounds the real gateway goes wrong: its port, its heap, its disk, the time that it gets to start.

Run by `make faults`. What it took is written down, and never asserted: a busy machine is no defect.
"""

import errno
import os
import signal
import socket

import psutil
import pytest

from buddy_common.adapters.processes import port_is_free
from faults.small_disk import SmallDisk
from faults.ward import Ward

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


SLOW_START_SECONDS = 60


def test_a_port_that_another_program_takes_is_reported_and_the_gateway_is_back_when_it_is_free(
    ward: Ward,
) -> None:
    pid = ward.prepare()
    ward.change("/v1/settings/self-healing", mode="off")
    os.kill(pid, signal.SIGKILL)
    port = ward.system.openclaw.port
    ward.until(lambda: port_is_free("127.0.0.1", port), "the old one has let go of it")
    with socket.create_server(("127.0.0.1", port)):
        ward.change("/v1/settings/self-healing", mode="on")
        ward.until(lambda: "port_taken" in [event["verdict"] for event in ward.events()], "it is seen")
        assert ward.repairs() == []

    ward.recovers("port taken by another program", instead_of=pid)


def test_a_gateway_whose_heap_is_full_is_started_anew_and_the_cause_is_told(ward: Ward) -> None:
    pid = ward.prepare()

    (ward.healing.trouble / "fill-heap").touch()

    events = ward.recovers("heap limit hit", instead_of=pid)
    # on a busy machine it may hang for a moment first, while it looks for memory
    assert "out_of_memory" in [event["verdict"] for event in events]
    assert ward.repairs()[-1] == "restart"


def test_a_start_that_takes_a_minute_is_left_alone(ward: Ward) -> None:
    """The watchdog that made the repair dies, so that nobody holds a lock while the next one looks on."""
    pid = ward.prepare()
    (ward.healing.trouble / "slow-start").write_text(str(SLOW_START_SECONDS))
    os.kill(pid, signal.SIGKILL)
    ward.until(lambda: bool(set(ward.system.gateway_pids()) - {pid}), "the slow one is there")
    (slow,) = ward.system.gateway_pids()
    os.kill(ward.buddy.children["watchdog"], signal.SIGKILL)

    ward.recovers(f"start of {SLOW_START_SECONDS} s", instead_of=pid)

    assert ward.system.gateway_pids() == [slow]
    assert psutil.Process(slow).cpu_times().user > SLOW_START_SECONDS / 2
    assert ward.repairs() == []


@pytest.fixture
def disk(ward: Ward) -> SmallDisk:
    """The disk of the state folder."""
    refusal = ward.healing.disk.refusal
    if refusal is not None:
        ward.ledger.lacks("disk full, state folder read-only", refusal)
        pytest.skip(f"NOT TESTED, neither a full nor a read-only disk: {refusal}")
    return ward.healing.disk


def test_a_full_disk_is_told_nothing_is_repaired_on_it_and_all_is_well_once_it_is_cleared(
    ward: Ward, disk: SmallDisk
) -> None:
    pid = ward.prepare()
    before = ward.system.openclaw.config_file.read_bytes()
    disk.fill()
    try:
        ward.until(lambda: "detected" in ward.kinds(), "it is seen")
        os.kill(pid, signal.SIGKILL)
        ward.until(lambda: not ward.system.gateway_pids(), "it is gone")
        ward.until_looked(5)
        assert {event["verdict"] for event in ward.events()} == {"disk_full"}
        assert ward.repairs() == []
        assert ward.system.gateway_pids() == []
    finally:
        disk.clear()

    ward.recovers("disk full", instead_of=pid)
    assert ward.system.openclaw.config_file.read_bytes() == before


@pytest.mark.parametrize("up", [True, False], ids=["gateway up", "gateway down"])
def test_a_change_on_a_full_disk_leaves_the_old_config_to_the_byte_and_fails_with_a_reason(
    ward: Ward, disk: SmallDisk, *, up: bool
) -> None:
    pid = ward.prepare()
    ward.change("/v1/settings/self-healing", mode="off")
    if not up:
        ward.system.ensure_stopped()
    before = ward.system.openclaw.config_file.read_bytes()
    disk.fill()
    try:
        task = ward.job("/v1/openclaw/chat/enable", enabled=False)
        assert ward.system.openclaw.config_file.read_bytes() == before
    finally:
        disk.clear()
        ward.change("/v1/settings/self-healing", mode="on")

    assert task["status"] == "Failed", task
    assert task["error"], task
    assert ward.system.ensure_running() == pid or not up
    ward.change("/v1/openclaw/chat/enable", enabled=False)
    ward.change("/v1/openclaw/chat/enable", enabled=True)
    assert ward.system.openclaw.config_file.stat().st_size > len(before) / 2
    ward.until(lambda: not ward.incidents(), "no incident is left")


def is_frozen(disk: SmallDisk) -> bool:
    try:
        disk.freeze(on=True)
    except OSError as exc:
        if exc.errno != errno.EBUSY:
            raise
        return False
    return True


def test_a_state_folder_that_is_read_only_is_told_and_nothing_is_repaired_on_it(
    ward: Ward, disk: SmallDisk
) -> None:
    pid = ward.prepare()
    before = ward.system.openclaw.config_file.read_bytes()
    ward.change("/v1/settings/self-healing", mode="off")
    os.kill(pid, signal.SIGKILL)
    ward.until(lambda: not ward.system.gateway_pids(), "it is gone")
    ward.until(lambda: is_frozen(disk), "its helpers hold no file open for writing any more")
    try:
        ward.change("/v1/settings/self-healing", mode="on")
        ward.until(lambda: "disk_full" in [event["verdict"] for event in ward.events()], "it is seen")
        ward.until_looked(5)
        assert ward.repairs() == []
        assert ward.system.gateway_pids() == []
    finally:
        disk.freeze(on=False)

    ward.recovers("state folder read-only", instead_of=pid)
    assert ward.system.openclaw.config_file.read_bytes() == before
