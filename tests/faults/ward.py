"""A real gateway that is broken in every way that users know, with all that it takes to do so."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from e2e.machine import Buddy
from fakes.alert_sink import AlertSink
from faults.ledger import Ledger, Row
from faults.small_disk import SmallDisk
from openclaw_system import System, running_system
from real_openclaw import Generation

PATIENCE_SECONDS = 280
STEADY_SECONDS = 3
HANG_SECONDS = 15.0  # by then a hang is detected: that is up to our own times, and to no machine
DISK_MEGABYTES = 512
# an idle gateway needs a quarter of it, and to fill it takes a second
HEAP_MEGABYTES = 1024
TROUBLE = Path(__file__).parents[1] / "fakes" / "gateway-trouble.cjs"


@dataclass
class HealingSystem:
    """A system whose incidents are over soon after they are mended, and what can be done to it."""

    system: System
    alerts: AlertSink
    disk: SmallDisk  # of the state folder
    trouble: Path  # where files ask for trouble in the gateway


@contextlib.contextmanager
def healing_system(folder: Path) -> Iterator[HealingSystem]:
    """Start it; nothing of it is left afterwards."""
    alerts, trouble = AlertSink(), folder / "trouble"
    trouble.mkdir()
    disk = SmallDisk(folder / "openclaw", DISK_MEGABYTES)
    environment = {
        "BUDDY_STEADY_SECONDS": str(STEADY_SECONDS),
        "BUDDY_CHECK_INTERVAL_SECONDS": "10",
        "BUDDY_ALERT_URLS": alerts.url,
        "BUDDY_GATEWAY_PASS_ENV": "NODE_OPTIONS,GATEWAY_TROUBLE",
        "NODE_OPTIONS": f"--max-old-space-size={HEAP_MEGABYTES} --require={TROUBLE}",
        "GATEWAY_TROUBLE": str(trouble),
    }
    try:
        with running_system(Generation.NEW, folder, **environment) as system:
            yield HealingSystem(system, alerts, disk, trouble)
    finally:
        disk.close()
        alerts.close()


class Ward:
    """The gateway before and after a fault, by what the API says."""

    def __init__(self, healing: "HealingSystem", ledger: Ledger) -> None:
        self.healing = healing
        self.system = healing.system
        self.ledger = ledger
        self.began = 0.0

    @property
    def buddy(self) -> Buddy:
        return self.system.buddy

    def prepare(self) -> int:
        """Begin with a ready gateway, no incident, repairs on and the whole budget; return the pid."""
        self.system.heal(on=True)
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
        self.until(lambda: self.is_new(instead_of) and self.system.is_ready(), f"{fault}: ready again")
        ready = time.time()
        started = ready - max(psutil.Process(pid).create_time() for pid in self.system.gateway_pids())
        self.until(lambda: "recovered" in self.kinds(), f"{fault}: recovered")
        events = self.events()
        first = next(event for event in events if event["kind"] == "detected")
        repairs = ", ".join(dict.fromkeys(self.repairs()))
        detected = datetime.fromisoformat(first["at"]).timestamp() - self.began
        self.ledger.rows.append(Row(fault, first["verdict"], repairs, detected, ready - self.began, started))
        return events

    def until_looked(self, times: int) -> None:
        """Wait until the watchdog has looked so often again."""
        seen: set[str] = set()

        def enough() -> bool:
            seen.add(self.buddy.get("/v1/openclaw/status").json()["data"]["heartbeat"])
            return len(seen) > times

        self.until(enough, f"{times} looks")

    def is_new(self, pid: int | None) -> bool:
        return any(found != pid for found in self.system.gateway_pids())


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


def next_gateway(ward: Ward, old: int) -> int:
    """Wait for the gateway that comes after this one, whether it is ready or not."""
    found: list[int] = []

    def there() -> bool:
        found[:] = [pid for pid in ward.system.gateway_pids() if pid != old]
        return bool(found) and ward.buddy.status()["verdict"] != "crashed"

    ward.until(there, f"the one after {old}")
    return found[0]


def quarantined(ward: Ward) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ward.buddy.get("/v1/heal/quarantine").json()["data"]["quarantine"]
    return rows


def known_good(ward: Ward) -> None:
    """Wait until the config counts as good: the gateway was ready on it for a minute."""

    def is_kept() -> bool:
        found = ward.buddy.get("/v1/heal/backups", limit="100").json()["data"]
        good = (row for row in found["backups"] if row["reason"] == "known good")
        return found["current"]["hash"] in [row["hash"] for row in good]

    ward.until(is_kept, "the config is kept as known good")
