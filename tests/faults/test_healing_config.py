"""What stands in openclaw.json keeps the real gateway from starting; the watchdog mends it, or says why not.

Run by `make faults`. What it took is written down, and never asserted: a busy machine is no defect.
"""

import os
import signal
from typing import Any

import pytest

from faults.ward import Ward, kept_config, known_good, quarantined

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


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
        given_up = ward.buddy.request("DELETE", f"/v1/heal/quarantine/{row['id']}")
        assert given_up.status_code in {200, 202}, given_up.text
        ward.until(lambda: ward.buddy.status()["verdict"] == "ready", "nothing is in quarantine any more")
        assert path.exists()


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
    """OpenClaw's own copies are taken away first: what comes back is what we have kept."""
    with kept_config(ward.system) as path:
        ward.prepare()
        known_good(ward)
        pid = ward.prepare()
        good = path.read_bytes()
        for copy in path.parent.glob("openclaw.json.*"):
            copy.unlink()
        if content is None:
            ward.system.openclaw.write(ward.system.openclaw.config | {"nonsense": {"a": 1}})
        else:
            path.write_bytes(content)
        os.kill(pid, signal.SIGKILL)

        events = ward.recovers(fault, instead_of=pid)

        assert path.read_bytes() == good
        reasons = [event["reason"] for event in events if event["verdict"] == "config_error"]
        # the deaths of other tests make it a crash loop: then OpenClaw is asked before any start
        looped = any(event["verdict"] == "crash_loop" for event in events)
        assert looped or any("exit code 78" in reason for reason in reasons), events
        assert ward.repairs()[-1] == "rollback"
        assert ward.buddy.status()["verdict"] == "ready"


def test_a_config_that_breaks_while_the_gateway_runs_is_put_right_by_one_call(ward: Ward) -> None:
    with kept_config(ward.system) as path:
        ward.prepare()
        known_good(ward)
        pid = ward.prepare()
        good = path.read_bytes()
        path.write_bytes(b"{ not json")
        ward.until(lambda: "detected" in ward.kinds(), "the broken file is seen")
        rows = ward.buddy.get("/v1/heal/backups", limit="100").json()["data"]["backups"]
        newest = next(row["name"] for row in rows if row["reason"] == "known good")

        ward.change(f"/v1/heal/backups/{newest}/restore")

        events = ward.recovers("config broken while it runs, one call", instead_of=pid)
        assert events[0]["verdict"] == "config_broken"
        assert path.read_bytes() == good
        assert ward.repairs() == []
        assert ward.buddy.status()["verdict"] == "ready"


def test_a_config_that_breaks_while_the_gateway_runs_is_told_and_nothing_is_touched(ward: Ward) -> None:
    with kept_config(ward.system) as path:
        pid = ward.prepare()
        path.write_bytes(b"{ not json")

        ward.until(lambda: "detected" in ward.kinds(), "the broken file is seen")

        assert ward.events()[0]["verdict"] == "config_broken"
        assert ward.repairs() == []
        assert ward.system.gateway_pids() == [pid]
        assert path.read_bytes() == b"{ not json"
