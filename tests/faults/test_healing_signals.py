"""The real gateway is ended and frozen, whoever else is down; the watchdog brings it back, once, or gives up.

Run by `make faults`. What it took is written down, and never asserted: a busy machine is no defect.
"""

import os
import signal
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from faults.ward import HANG_SECONDS, Ward, kept_config, next_gateway

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], ids=lambda n: n.name)
def test_a_gateway_that_a_signal_ended_or_froze_is_back(ward: Ward, number: signal.Signals) -> None:
    pid = ward.prepare()

    os.kill(pid, number)

    frozen = number is signal.SIGSTOP
    events = ward.recovers(number.name, instead_of=None if frozen else pid)
    # the deaths of the tests before may make it the last of a loop
    assert events[0]["verdict"] in ({"hung"} if frozen else {"crashed", "crash_loop"})
    assert ward.repairs() == ["resume" if frozen else "restart"]
    assert (ward.system.gateway_pids() == [pid]) is frozen


def test_a_stop_on_purpose_and_a_maintenance_window_are_left_alone(ward: Ward) -> None:
    pid = ward.prepare()
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    ward.change("/v1/settings/self-healing", mode="paused", paused_until=until)
    os.kill(pid, signal.SIGKILL)
    ward.until(lambda: "detected" in ward.kinds(), "the crash is seen")
    ward.system.ensure_stopped()
    ward.change("/v1/settings/self-healing", mode="on")

    ward.until(lambda: "ended" in ward.kinds(), "the incident ends with the stop")

    assert ward.repairs() == []
    assert ward.system.gateway_pids() == []


def test_five_crashes_in_a_row_open_the_circuit_and_a_call_closes_it(ward: Ward) -> None:
    pid = ward.prepare()
    alerts = ward.healing.alerts.titled("gave up")
    with kept_config(ward.system):
        for _ in range(5):
            os.kill(pid, signal.SIGKILL)
            pid = next_gateway(ward, pid)
        os.kill(pid, signal.SIGKILL)
        ward.until(lambda: "gave_up" in ward.kinds(), "it is given up")
        assert ward.kinds().count("gave_up") == 1
        ward.until(lambda: len(ward.healing.alerts.titled("gave up")) == len(alerts) + 1, "people are told")
        ward.until_looked(3)
        assert ward.kinds().count("gave_up") == 1
        assert len(ward.healing.alerts.titled("gave up")) == len(alerts) + 1

        ward.change("/v1/heal/circuit/close")

        ward.until(lambda: bool(ward.system.gateway_pids()) and ward.system.is_ready(), "it is back")


def test_a_watchdog_that_is_killed_in_mid_repair_leaves_one_gateway_and_one_history(ward: Ward) -> None:
    pid = ward.prepare()
    os.kill(pid, signal.SIGKILL)
    ward.until(lambda: bool(set(ward.system.gateway_pids()) - {pid}), "the repair has started one")
    with ward.system.watched() as seen:
        os.kill(ward.buddy.children["watchdog"], signal.SIGKILL)
        events = ward.recovers("watchdog killed in mid repair", instead_of=pid)

    assert all(len(pids) <= 1 for pids in seen)
    kinds = [event["kind"] for event in events]
    assert kinds.count("detected") == kinds.count("recovered") == 1


def test_it_heals_without_broker_and_database_and_writes_everything_down_later(ward: Ward) -> None:
    pid = ward.prepare()
    broker = psutil.Process(ward.buddy.children["broker"])
    database = sqlite3.connect(ward.buddy.machine.home / "buddy.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    broker.suspend()
    try:
        os.kill(pid, signal.SIGKILL)
        ward.until(lambda: ward.is_new(pid) and ward.system.is_ready(), "ready without broker and database")
    finally:
        broker.resume()
        database.execute("ROLLBACK")
        database.close()

    events = ward.recovers("SIGKILL, no broker, no database", instead_of=pid)
    kinds = [event["kind"] for event in events]
    assert kinds == ["detected", "repair", "recovered"]


def known_to_be_up(ward: Ward) -> int:
    """Begin with a gateway that the watchdog itself has seen up, and not only a job."""
    pid = ward.prepare()
    ward.until_looked(3)
    ward.began = time.time()
    return pid


def seconds_to_detect(ward: Ward) -> float:
    """Return how long after the fault it was written down."""
    first = next(event for event in ward.events() if event["kind"] == "detected")
    return datetime.fromisoformat(first["at"]).timestamp() - ward.began


def test_an_event_loop_that_is_blocked_for_ever_is_a_hang_within_fifteen_seconds(ward: Ward) -> None:
    pid = known_to_be_up(ward)

    (ward.healing.trouble / "block-loop").touch()

    events = ward.recovers("event loop blocked", instead_of=pid)
    assert "hung" in [event["verdict"] for event in events]
    assert seconds_to_detect(ward) <= HANG_SECONDS
    assert ward.repairs() == ["terminate and restart"]


def test_a_hang_is_known_by_a_watchdog_that_was_restarted_meanwhile(ward: Ward) -> None:
    pid = known_to_be_up(ward)
    (ward.healing.trouble / "block-loop").touch()
    os.kill(ward.buddy.children["watchdog"], signal.SIGKILL)

    events = ward.recovers("event loop blocked, watchdog killed", instead_of=pid)

    assert "hung" in [event["verdict"] for event in events]
    assert ward.repairs() == ["terminate and restart"]


def test_a_hang_is_mended_with_the_broker_killed_and_the_database_locked(ward: Ward) -> None:
    """Whoever would start the broker again is stopped, so that it stays dead."""
    pid = known_to_be_up(ward)
    supervisor = psutil.Process(ward.buddy.process.pid)
    database = sqlite3.connect(ward.buddy.machine.home / "buddy.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    broker = ward.buddy.children["broker"]
    supervisor.suspend()
    try:
        os.kill(broker, signal.SIGKILL)
        (ward.healing.trouble / "block-loop").touch()
        ward.until(lambda: ward.is_new(pid) and ward.system.is_ready(), "ready without broker and database")
    finally:
        database.execute("ROLLBACK")
        database.close()
        supervisor.resume()
    ward.until(lambda: ward.buddy.children["broker"] != broker, "there is another broker")
    ward.until(ward.buddy.is_ready, "Buddy is ready again")

    events = ward.recovers("event loop blocked, broker killed, no database", instead_of=pid)
    assert ward.repairs() == ["terminate and restart"]
    assert [event["kind"] for event in events].count("detected") == 1
