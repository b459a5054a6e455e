"""What the watchdog writes down of a real gateway, and the way back of what it took out of the config."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from buddy_common.adapters.quarantine import Quarantine
from buddy_common.schemas.healing import Quarantined
from eventually import wait_until
from openclaw_system import START_SECONDS, System

pytestmark = pytest.mark.openclaw

SECRET = "sk-planted-secret-1234567890"
ENTRY = {"enabled": True, "config": {"timeoutMs": 12345}}


def data(system: System, path: str, **query: str) -> Any:
    answer = system.buddy.get(path, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def kept(system: System) -> list[str]:
    return [row["id"] for row in data(system, "/v1/heal/quarantine")["quarantine"]]


@pytest.fixture
def store(system: System) -> Iterator[Quarantine]:
    """The node's quarantine; a gateway that runs on its config of before, and no repairs meanwhile."""
    system.ensure_running()
    system.heal(on=False)
    found = Quarantine(system.buddy.machine.home / "nodes" / "local" / "quarantine.json")
    yield found
    for row in found.listing():
        found.remove(row.id)
    system.heal(on=True)


def keep(store: Quarantine, *path: str, value: Any) -> None:
    entry = Quarantined(
        id="q1", at=datetime.now(UTC), incident="i1", path=list(path), reason="For the test.", value=value
    )
    store.add(entry)


def release(system: System) -> dict[str, Any]:
    answer = system.buddy.request(
        "POST", "/v1/heal/quarantine/q1/release", headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    return system.buddy.finish_task(answer.json()["data"]["taskID"])


def test_an_entry_goes_back_and_the_gateway_runs_with_it(system: System, store: Quarantine) -> None:
    keep(store, "plugins", "entries", "llm-task", value=ENTRY)
    task = release(system)

    assert task["status"] == "Completed", task
    assert system.openclaw.config["plugins"]["entries"]["llm-task"] == ENTRY
    wait_until(system.is_ready, bool, seconds=START_SECONDS)
    assert kept(system) == []


def test_an_entry_that_openclaw_does_not_take_stays_where_it_is(system: System, store: Quarantine) -> None:
    before = system.openclaw.config_file.read_bytes()
    keep(store, "channels", "ghost", value={"enabled": True, "token": SECRET})
    task = release(system)

    assert task["status"] == "Failed", task
    assert task["errorCode"] in {"config_rejected", "config_undone"}
    assert system.openclaw.config_file.read_bytes() == before
    assert [row.id for row in store.listing()] == ["q1"]
    wait_until(lambda: kept(system), lambda found: found == ["q1"], seconds=30)  # the watchdog's next look
    assert SECRET not in str(task)
    wait_until(system.is_ready, bool, seconds=START_SECONDS)


@pytest.mark.faults
def test_a_gateway_that_is_killed_has_an_incident_with_a_report(system: System) -> None:
    pid = system.ensure_running()
    wait_until(system.is_ready, bool, seconds=START_SECONDS)
    wait_until(
        lambda: [point["status"] for point in data(system, "/v1/stats/health", hours="1")],
        lambda found: "ok" in found,
        seconds=30,
    )
    psutil.Process(pid).send_signal(signal.SIGKILL)
    (incident,) = wait_until(
        lambda: data(system, "/v1/heal/incidents", active="true"), lambda found: len(found) == 1, seconds=30
    )
    repairs = wait_until(
        lambda: [row for row in data(system, "/v1/heal/events", incident=incident["id"]) if row["repair"]],
        bool,
        seconds=START_SECONDS,
    )
    report = data(system, f"/v1/heal/reports/{repairs[0]['report']}")["content"]

    assert incident["verdict"] == "crashed"
    assert incident["seconds_to_detect"] < 2
    assert f"Incident {incident['id']}" in report
    assert "[gateway]" in report
    assert system.openclaw.token not in report
    names = [row["name"] for row in data(system, "/v1/heal/reports")["reports"]]
    assert repairs[0]["report"] in names
