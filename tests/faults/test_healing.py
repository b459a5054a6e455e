"""The real gateway is broken in every way that users know; the watchdog mends it, or says why it does not.

Run by `make faults`. What it took is written down, and never asserted: a busy machine is no defect.
"""

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters.config_files import parse_config
from e2e.machine import Buddy
from faults.ledger import Ledger, Row
from openclaw_system import System, running_system
from real_openclaw import Generation

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

PATIENCE_SECONDS = 280
STEADY_SECONDS = 3


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose incidents are over soon after they are mended."""
    environment = {"BUDDY_STEADY_SECONDS": str(STEADY_SECONDS), "BUDDY_CHECK_INTERVAL_SECONDS": "10"}
    with running_system(Generation.NEW, tmp_path_factory.mktemp("healing"), **environment) as system:
        yield system


@pytest.fixture(scope="module")
def ledger(system: System) -> Iterator[Ledger]:
    """The table of this run, with a cold start measured in it."""
    task = system.run("restart")
    assert task["status"] == "Completed", task
    ledger = Ledger(system.openclaw.found.version, task["result"]["startSeconds"])
    yield ledger
    ledger.write()


class Ward:
    """The gateway before and after a fault, by what the API says."""

    def __init__(self, system: System, ledger: Ledger) -> None:
        self.system = system
        self.ledger = ledger
        self.began = 0.0

    @property
    def buddy(self) -> Buddy:
        return self.system.buddy

    def prepare(self) -> int:
        """Begin with a ready gateway, no incident, and the whole budget; return the pid."""
        pid = self.system.ensure_running()
        self.change("/v1/heal/circuit/close")
        self.until(lambda: not self.incidents(), "no incident is open")
        self.until(self.system.is_ready, "the gateway is ready")
        self.began = time.time()
        return pid

    def incidents(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.buddy.get("/v1/heal/incidents", active="true").json()["data"]
        return rows

    def events(self) -> list[dict[str, Any]]:
        """Return what has happened since the fault, oldest first."""
        since = datetime.fromtimestamp(self.began, UTC).isoformat()
        rows = self.buddy.get("/v1/heal/events", since=since, limit="200").json()["data"]
        return list(reversed(rows))

    def change(self, path: str, **payload: Any) -> None:
        task = self.job(path, **payload)
        assert task["status"] == "Completed", task

    def job(self, path: str, **payload: Any) -> dict[str, Any]:
        """Make a change and return its task as it ended, however long it took."""
        headers = {"Prefer": "respond-async"}
        answer = self.buddy.request("POST", path, json=payload or None, headers=headers)
        assert answer.status_code == 202, answer.text
        return self.buddy.finish_task(answer.json()["data"]["taskID"])

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]

    def repairs(self) -> list[str]:
        return [event["repair"] for event in self.events() if event["kind"] == "repair"]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        self.buddy.until(condition, what=what, seconds=PATIENCE_SECONDS)

    def recovers(self, fault: str, *, instead_of: int | None) -> list[dict[str, Any]]:
        """Wait until a gateway is ready again and the incident is closed; return its events."""
        self.until(lambda: self._is_new(instead_of) and self.system.is_ready(), f"{fault}: ready again")
        ready = time.time()
        self.until(lambda: "recovered" in self.kinds(), f"{fault}: recovered")
        events = self.events()
        first = next(event for event in events if event["kind"] == "detected")
        repairs = ", ".join(dict.fromkeys(self.repairs()))
        detected = datetime.fromisoformat(first["at"]).timestamp() - self.began
        self.ledger.rows.append(Row(fault, first["verdict"], repairs, detected, ready - self.began))
        return events

    def _is_new(self, pid: int | None) -> bool:
        return any(found != pid for found in self.system.gateway_pids())


@pytest.fixture
def ward(system: System, ledger: Ledger) -> Ward:
    return Ward(system, ledger)


@contextlib.contextmanager
def kept_config(system: System) -> Iterator[Path]:
    """Put the config back as it was, whatever the test and the watchdog did to it."""
    path = system.openclaw.config_file
    before = path.read_bytes()
    try:
        yield path
    finally:
        if path.read_bytes() != before:
            system.ensure_stopped()
            path.write_bytes(before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP], ids=lambda n: n.name)
def test_a_gateway_that_a_signal_ended_or_froze_is_back(ward: Ward, number: signal.Signals) -> None:
    pid = ward.prepare()

    os.kill(pid, number)

    events = ward.recovers(number.name, instead_of=pid)
    assert events[0]["verdict"] == ("hung" if number is signal.SIGSTOP else "crashed")
    assert len(ward.repairs()) == 1


@pytest.mark.parametrize(
    ("fault", "edit", "gone"),
    [
        (
            "plugin entry that is none",
            {"plugins": {"entries": {"weather-x": "yes"}}},
            ("plugins", "entries", "weather-x"),
        ),
        (
            "channel of a plugin that is not there",
            {"channels": {"nochannel": {"enabled": True}}},
            ("channels", "nochannel"),
        ),
    ],
)
def test_an_entry_that_blocks_the_start_is_quarantined_and_can_be_released(
    ward: Ward, fault: str, edit: dict[str, Any], gone: tuple[str, ...]
) -> None:
    with kept_config(ward.system) as path:
        pid = ward.prepare()
        before = ward.system.openclaw.config
        ward.system.openclaw.write(before | edit)
        os.kill(pid, signal.SIGKILL)

        ward.recovers(fault, instead_of=pid)

        assert "quarantine" in ward.repairs()
        ward.until(lambda: list(gone) in [row["path"] for row in quarantined(ward)], "it is in quarantine")
        (row,) = [row for row in quarantined(ward) if row["path"] == list(gone)]
        holder: Any = ward.system.openclaw.config
        for key in gone[:-1]:
            holder = holder.get(key, {})
        assert gone[-1] not in holder
        ward.until(lambda: ward.buddy.status()["verdict"] == "safe_mode", "it is in safe mode")
        task = ward.job(f"/v1/heal/quarantine/{row['id']}/release")
        assert task["status"] == "Failed", "OpenClaw still does not take it"
        assert path.exists()


def quarantined(ward: Ward) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ward.buddy.get("/v1/heal/quarantine").json()["data"]["quarantine"]
    return rows


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        ("unknown key (exit 78)", None),
        ("config that is no JSON", b"{ not json"),
        ("config emptied", b""),
    ],
)
def test_a_config_that_no_entry_explains_is_rolled_back(
    ward: Ward, fault: str, content: bytes | None
) -> None:
    with kept_config(ward.system) as path:
        ward.prepare()
        good = path.read_bytes()
        known_good(ward)
        pid = ward.prepare()
        if content is None:
            ward.system.openclaw.write(ward.system.openclaw.config | {"nonsense": {"a": 1}})
        else:
            path.write_bytes(content)
        os.kill(pid, signal.SIGKILL)

        ward.recovers(fault, instead_of=pid)

        assert ward.system.openclaw.config["gateway"] == parse_config(good)["gateway"]


def known_good(ward: Ward) -> None:
    """Wait until the config counts as good: the gateway was ready on it for a minute."""

    def is_kept() -> bool:
        found = ward.buddy.get("/v1/heal/backups", limit="100").json()["data"]
        good = (row for row in found["backups"] if row["reason"] == "known good")
        return found["current"]["hash"] in [row["hash"] for row in good]

    ward.until(is_kept, "the config is kept as known good")


def test_a_config_that_breaks_while_the_gateway_runs_is_told_and_nothing_is_touched(ward: Ward) -> None:
    with kept_config(ward.system) as path:
        pid = ward.prepare()
        path.write_bytes(b"{ not json")

        ward.until(lambda: "detected" in ward.kinds(), "the broken file is seen")

        assert ward.events()[0]["verdict"] == "config_broken"
        assert ward.repairs() == []
        assert ward.system.gateway_pids() == [pid]
        assert path.read_bytes() == b"{ not json"


def test_a_port_that_another_program_takes_is_reported_and_the_gateway_is_back_when_it_is_free(
    ward: Ward,
) -> None:
    pid = ward.prepare()
    process = psutil.Process(pid)
    process.suspend()
    ward.change("/v1/settings/self-healing", mode="off")
    process.kill()
    ward.until(lambda: not ward.system.gateway_pids(), "the old one is gone")
    with socket.create_server(("127.0.0.1", ward.system.openclaw.port)):
        ward.change("/v1/settings/self-healing", mode="on")
        ward.until(lambda: "port_taken" in [event["verdict"] for event in ward.events()], "it is seen")
        assert ward.repairs() == []

    ward.recovers("port taken by another program", instead_of=pid)


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
    with kept_config(ward.system):
        for _ in range(5):
            os.kill(pid, signal.SIGKILL)
            pid = next_gateway(ward, pid)
        os.kill(pid, signal.SIGKILL)
        ward.until(lambda: "gave_up" in ward.kinds(), "it is given up")
        assert ward.kinds().count("gave_up") == 1

        ward.change("/v1/heal/circuit/close")

        ward.until(lambda: bool(ward.system.gateway_pids()) and ward.system.is_ready(), "it is back")


def next_gateway(ward: Ward, old: int) -> int:
    """Wait for the gateway that comes after this one, whether it is ready or not."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [pid for pid in ward.system.gateway_pids() if pid != old]
        return bool(found) and ward.buddy.status()["verdict"] != "crashed"

    ward.until(there, f"the one after {old}")
    return found[0]


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
        ward.until(lambda: ward._is_new(pid) and ward.system.is_ready(), "ready without broker and database")
    finally:
        broker.resume()
        database.execute("ROLLBACK")
        database.close()

    events = ward.recovers("SIGKILL, no broker, no database", instead_of=pid)
    kinds = [event["kind"] for event in events]
    assert kinds == ["detected", "repair", "recovered"]
