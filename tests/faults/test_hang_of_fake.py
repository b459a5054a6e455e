"""The watchdog's own process, with its own times, beside a gateway that hangs; needs no real OpenClaw.

Run by `make faults`: it takes half a minute.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.machine import Machine
from faults.ward import HANG_SECONDS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

LOOKS = 3


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a gateway that has started."""
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(folder)
    yield machine
    machine.close()


def test_a_gateway_that_answers_nobody_is_seen_within_fifteen_seconds_and_replaced(machine: Machine) -> None:
    fake, trouble = machine.fake, machine.folder / "hang"
    fake.configure(hang_when=str(trouble))
    buddy = machine.up()
    assert buddy.finish("/v1/gateway/start")["status"] == "Completed"
    heartbeats = set()

    def is_known() -> bool:
        status = buddy.status()
        heartbeats.add(status["heartbeat"])
        return status["verdict"] == "ready" and len(heartbeats) > LOOKS

    buddy.until(is_known, what="the watchdog itself has found it ready, and not only the job")
    (old,) = machine.gateways()
    fake.configure()

    began = time.monotonic()
    trouble.touch()

    buddy.until(lambda: buddy.status()["verdict"] == "hung", what="it is seen")
    assert time.monotonic() - began <= HANG_SECONDS

    def replaced() -> bool:
        return [process.pid for process in machine.gateways()] not in ([], [old.pid])

    buddy.until(replaced, what="another one")
    buddy.until(lambda: buddy.status()["verdict"] == "ready", what="it is ready")
    rows = buddy.get("/v1/heal/events", limit="50").json()["data"]
    assert [row["repair"] for row in rows if row["repair"]] == ["terminate and restart"]
