"""Real processes of a fake OpenClaw break; the watchdog mends what it may, and leaves alone what it must."""

import asyncio
import json
import os
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.adapters.processes import boot_id
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.gateway import Desired, GatewayState
from buddy_common.schemas.healing import EventKind, Healing, SelfHealing
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.verdicts import Verdict
from buddy_common.settings import HomeSettings
from buddy_watchdog import healing as healing_module
from buddy_watchdog import runner
from buddy_watchdog.healing import Rules
from buddy_watchdog.repairs import rollback
from buddy_watchdog.state_file import Remembered, StateFile
from buddy_watchdog.verdict import LOOP_DEATHS
from eventually import eventually
from watchdog.scene import Ward, is_up

pytestmark = pytest.mark.timeout(60)

RECOVERY_SECONDS = 20
STEADY = timedelta(seconds=1)  # more than the 0.3 s after which a death is another incident here


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes minutes with the real one take moments here."""
    monkeypatch.setattr(healing_module, "FIRST_BACK_OFF_SECONDS", 0.05)
    monkeypatch.setattr(healing_module, "HUNG_SECONDS", 0.2)
    monkeypatch.setattr(healing_module, "FROZEN_SECONDS", 0.2)
    monkeypatch.setattr(runner, "DOUBT_SECONDS", 0.1)


async def comes_to(ward: Ward, kind: EventKind) -> None:
    async def kinds() -> list[EventKind]:
        return ward.diary.kinds

    await eventually(kinds, lambda seen: kind in seen, seconds=RECOVERY_SECONDS)


async def edit(ward: Ward, **sections: Any) -> None:
    """Write the config as somebody at a keyboard would, past Buddy."""
    content = json.dumps(ward.config | sections).encode()
    await asyncio.to_thread(replace_file, ward.fake.config_file, content)


async def test_a_killed_gateway_is_back_and_its_history_tells_all(ward: Ward) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)
        await is_up(ward, instead_of=pid)

    first, repair, last = ward.diary.events
    assert [first.kind, repair.kind, last.kind] == ward.diary.kinds
    assert (first.verdict, first.seconds_to_detect is not None) == (Verdict.CRASHED, True)
    assert "SIGKILL" in first.reason
    assert (repair.repair, repair.attempt) == ("restart", 1)
    assert repair.outcome is not None
    assert repair.outcome.startswith("done")
    assert repair.evidence_after is not None
    assert repair.evidence_after["ready"] is True
    assert last.seconds_to_recover is not None
    assert {event.incident for event in ward.diary.events} == {first.incident}
    assert [event.kind for event in ward.diary.told] == [EventKind.DETECTED, EventKind.RECOVERED]


async def test_a_weak_gateway_that_is_killed_is_told_of_again_in_an_incident_of_its_own(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def repairs() -> list[str | None]:
        return ward.diary.repairs

    monkeypatch.setattr(healing_module, "DEGRADED_SECONDS", 0.3)
    ward.fake.configure(failing=["telegram"])
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1):
        await comes_to(ward, EventKind.CHANGED)  # it was repaired, and is up, but weak
        pid = await is_weak(ward)
        weak_at = datetime.now(UTC)
        await eventually(ward.snapshot, lambda seen: seen is not None and seen.observed_at > weak_at + STEADY)
        os.kill(pid, signal.SIGKILL)
        await eventually(repairs, lambda made: len(made) == 2, seconds=RECOVERY_SECONDS)

    first, again = (event for event in ward.diary.told if event.kind is EventKind.DETECTED)
    assert first.verdict is again.verdict is Verdict.CRASHED
    assert first.incident != again.incident
    ended = next(event for event in ward.diary.events if event.kind is EventKind.ENDED)
    assert ended.incident == first.incident
    assert again.seconds_to_detect is not None
    assert again.seconds_to_detect < 2
    assert ward.diary.repairs == ["restart", "restart"]


async def is_weak(ward: Ward) -> int:
    seen = await eventually(
        ward.snapshot,
        lambda seen: seen is not None and seen.verdict is Verdict.DEGRADED,
        seconds=RECOVERY_SECONDS,
    )
    assert seen is not None
    assert seen.pid is not None
    return seen.pid


@pytest.mark.parametrize(
    ("section", "path"),
    [
        (
            {"plugins": {"entries": {"good": {}, "ghost-mail": {"enabled": True}}}},
            ["plugins", "entries", "ghost-mail"],
        ),
        ({"channels": {"telegram": {}, "ghost-chat": {"token": "t"}}}, ["channels", "ghost-chat"]),
    ],
)
async def test_the_one_entry_that_blocks_the_start_is_quarantined_and_nothing_else(
    ward: Ward, section: dict[str, Any], path: list[str]
) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        await edit(ward, **section)
        before = ward.config
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)
        await is_up(ward, instead_of=pid)

    assert "quarantine" in ward.diary.repairs
    (kept,) = await asyncio.to_thread(ward.store.listing)
    assert kept.path == path
    assert path[-1] in kept.reason
    holder = before
    for key in path[:-1]:
        holder = holder[key]
    assert kept.value == holder.pop(path[-1])
    assert ward.config == before
    assert (ward.folder / "quarantine.json").stat().st_mode & 0o777 == 0o600


async def test_it_runs_in_safe_mode_while_something_is_in_quarantine(ward: Ward) -> None:
    await edit(ward, channels={"ghost-chat": {}})
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.2):
        await eventually(
            ward.snapshot,
            lambda seen: seen is not None and seen.verdict is Verdict.SAFE_MODE,
            seconds=RECOVERY_SECONDS,
        )


async def test_a_config_that_is_broken_as_a_whole_is_rolled_back_to_the_last_good_one(ward: Ward) -> None:
    pid = await ward.start()
    good = await keep_as_good(ward)
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)
        ward.fake.config_file.write_text("{ broken")
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)
        await is_up(ward, instead_of=pid)

    assert ward.diary.repairs == ["rollback"]  # no start on what cannot be read comes up
    assert ward.fake.config_file.read_bytes() == good
    reasons = [backup.reason for backup in await asyncio.to_thread(ward.host.history.listing)]
    assert BackupReason.BEFORE_REPAIR in reasons


async def test_a_config_that_a_start_was_ready_on_is_not_replaced_by_an_older_one(ward: Ward) -> None:
    await keep_as_good(ward)
    ward.fake.configure(exit=3, say="Error: boom")
    now = await keep_as_good(ward)
    proven = await asyncio.to_thread(ward.host.live_config.hash)
    file, kept = StateFile(ward.folder / "watchdog.json"), Remembered(boot=boot_id(), proven=proven)
    await asyncio.to_thread(file.save, kept)
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1):
        await comes_to(ward, EventKind.GAVE_UP)

    assert set(ward.diary.repairs) == {"restart"}
    assert ward.fake.config_file.read_bytes() == now


@pytest.mark.parametrize("fault", [{"exit": 3, "say": "Error: boom"}, {"exit": 78, "invalid": "It is odd"}])
async def test_a_good_config_that_no_start_survives_gives_way_to_an_older_one(
    ward: Ward, fault: dict[str, Any]
) -> None:
    good = await keep_as_good(ward)
    ward.fake.configure(**fault)
    await keep_as_good(ward)
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1):
        await comes_to(ward, EventKind.RECOVERED)

    assert ward.diary.repairs[-1] == "rollback"
    assert ward.fake.config_file.read_bytes() == good


async def test_a_rollback_that_did_not_help_goes_on_to_an_older_one(ward: Ward) -> None:
    kept = []
    for level in ("info", "debug", "trace"):
        await edit(ward, logging={"level": level})
        kept.append(await keep_as_good(ward))

    tried = []
    for _ in kept:
        await asyncio.to_thread(rollback._roll_back, ward.host.history, ward.host.live_config)
        tried.append(ward.fake.config_file.read_bytes())

    assert tried == [kept[1], kept[0], kept[2]]


async def test_a_change_that_openclaw_takes_and_no_start_survives_is_rolled_back(ward: Ward) -> None:
    pid = await ward.start()
    good = await keep_as_good(ward)
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)
        ward.fake.configure(exit=3, say="Error: boom")
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)
        await is_up(ward, instead_of=pid)

    assert ward.diary.repairs[:2] == ["restart", "restart"]  # one is bad luck
    assert ward.diary.repairs[-1] == "rollback"
    assert ward.fake.config_file.read_bytes() == good


async def test_a_valid_change_stays_however_often_somebody_kills_the_gateway(ward: Ward) -> None:
    pid = await ward.start()
    await keep_as_good(ward)
    async with ward.watched(interval_seconds=0.1):
        pid = await is_up(ward)
        await edit(ward, logging={"level": "debug"})
        changed = ward.fake.config_file.read_bytes()
        for _ in range(LOOP_DEATHS + 1):
            os.kill(pid, signal.SIGKILL)
            pid = await is_up(ward, instead_of=pid)

    assert Verdict.CRASH_LOOP in {event.verdict for event in ward.diary.events}
    assert set(ward.diary.repairs) == {"restart"}
    assert ward.fake.config_file.read_bytes() == changed


@pytest.mark.parametrize(
    "line",
    [
        "outbound queue write failed; continuing without durability (channel=telegram to=42): ENOENT",
        "your script failed: plugin memory-core is unknown, channel telegram cannot be reached",
        (
            "[openclaw] Non-fatal unhandled rejection (continuing): TypeError: fetch failed\n"
            "    at send (/usr/lib/node_modules/openclaw/dist/extensions/memory-core/api.js:10:2)"
        ),
    ],
)
async def test_nothing_is_taken_out_for_what_a_killed_gateway_happened_to_say(ward: Ward, line: str) -> None:
    await edit(ward, channels={"telegram": {}}, plugins={"entries": {"memory-core": {"enabled": True}}})
    before = ward.fake.config_file.read_bytes()
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.1):
        pid = await is_up(ward)
        for _ in range(LOOP_DEATHS + 1):
            said = HomeSettings().logs / "gateway-local.log"
            await asyncio.to_thread(append, said, f"{line}\n")
            os.kill(pid, signal.SIGKILL)
            pid = await is_up(ward, instead_of=pid)

    assert Verdict.CRASH_LOOP in {event.verdict for event in ward.diary.events}
    assert set(ward.diary.repairs) == {"restart"}
    assert ward.fake.config_file.read_bytes() == before
    assert await asyncio.to_thread(ward.store.listing) == []


async def test_a_plugin_that_its_loader_names_is_taken_out_when_no_start_survives_it(ward: Ward) -> None:
    pid = await ward.start()
    plugins: dict[str, Any] = {"entries": {"weather": {}, "memory-core": {}}}
    said = (
        "plugin service stop failed (plugin=memory-core)\n"
        "[plugins] weather failed to load from /x/extensions/weather/index.js: Error: boom"
    )
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)
        await edit(ward, plugins=plugins, fake={"exit": 3, "say": said})
        os.kill(pid, signal.SIGKILL)

        async def left() -> Any:
            return (await asyncio.to_thread(lambda: ward.config))["plugins"]

        await eventually(left, lambda found: found != plugins, seconds=RECOVERY_SECONDS)

    kept = [entry.path for entry in await asyncio.to_thread(ward.store.listing)]
    assert kept == [["plugins", "entries", "weather"]]
    assert ward.config["plugins"] == {"entries": {"memory-core": {}}}


def append(file: Path, text: str) -> None:
    with file.open("a") as log:
        log.write(text)


async def keep_as_good(ward: Ward) -> bytes:
    """Keep the config as one that the gateway was ready on; with the fake nobody asks it about that."""
    content = ward.fake.config_file.read_bytes()
    await asyncio.to_thread(ward.host.history.add, content, {}, reason=BackupReason.KNOWN_GOOD)
    return content


async def test_the_report_gets_what_a_gateway_said_before_it_died(ward: Ward) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.2):
        await is_up(ward)
        await asyncio.to_thread(append, HomeSettings().logs / "gateway-local.log", "Error: boom\n")
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.RECOVERED)

    found, repair, recovered = (ward.diary.said[event.id] for event in ward.diary.events)
    assert found[-1] == repair[-1] == "Error: boom"
    assert recovered == []


async def test_a_config_that_breaks_under_a_running_gateway_is_told_and_left_alone(ward: Ward) -> None:
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)
        ward.fake.config_file.write_text("{ broken")
        await comes_to(ward, EventKind.DETECTED)
        found = await ward.snapshot()

    assert ward.diary.events[0].verdict is Verdict.CONFIG_BROKEN
    assert ward.diary.repairs == []
    assert found is not None
    assert found.pid == pid
    assert ward.fake.config_file.read_text() == "{ broken"


async def test_a_gateway_that_dies_again_and_again_is_given_up_once(ward: Ward) -> None:
    ward.fake.configure(exit=3, say="Error: boom")
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1):
        await comes_to(ward, EventKind.GAVE_UP)
        starts = len(ward.diary.repairs)

        async def told() -> list[EventKind]:
            return [event.kind for event in ward.diary.told]

        await eventually(told, lambda kinds: EventKind.GAVE_UP in kinds)

    assert starts == Rules().budget
    assert ward.diary.kinds.count(EventKind.GAVE_UP) == 1
    assert [event.kind for event in ward.diary.told] == [EventKind.DETECTED, EventKind.GAVE_UP]


async def test_a_circuit_that_somebody_closes_lets_it_repair_again(ward: Ward) -> None:
    ward.fake.configure(exit=3, say="Error: boom")
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1) as watchdog:
        await comes_to(ward, EventKind.GAVE_UP)
        ward.fake.configure()
        ward.diary.wanted = SelfHealing(circuit_closed_at=datetime.now(UTC))
        await is_up(ward)
        assert watchdog.is_alive


async def test_a_deliberate_stop_is_left_alone(ward: Ward) -> None:
    pid = await ward.start()
    await ward.host.state.set_desired(Desired.STOPPED)
    async with ward.watched(interval_seconds=0.1):
        os.kill(pid, signal.SIGTERM)
        await eventually(
            ward.snapshot, lambda seen: seen is not None and seen.state is GatewayState.STOPPED, seconds=10
        )

    assert ward.diary.events == []


@pytest.mark.parametrize(
    "wanted",
    [
        SelfHealing(mode=Healing.OFF),
        SelfHealing(paused_until=datetime.now(UTC) + timedelta(hours=1)),
    ],
)
async def test_nothing_is_repaired_while_the_operator_does_not_want_it(
    ward: Ward, wanted: SelfHealing
) -> None:
    ward.diary.wanted = wanted
    pid = await ward.start()
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)
        os.kill(pid, signal.SIGKILL)
        await comes_to(ward, EventKind.DETECTED)
        ward.diary.wanted = SelfHealing()
        await comes_to(ward, EventKind.REPAIR)
        await is_up(ward, instead_of=pid)

    assert ward.diary.repairs == ["restart"]


async def test_a_job_that_holds_the_gateway_is_not_disturbed(ward: Ward) -> None:
    await ward.host.state.set_desired(Desired.RUNNING)
    held = await asyncio.to_thread(ward.host.locks.try_hold, {NodeLock.CONFIG})
    assert held is not None
    async with ward.watched(interval_seconds=0.1):
        await comes_to(ward, EventKind.DETECTED)
        assert ward.diary.repairs == []
        held.release()
        await is_up(ward)


async def test_a_port_that_another_program_has_is_reported_and_taken_again_when_it_is_free(
    ward: Ward,
) -> None:
    with socket.create_server(("127.0.0.1", ward.fake.port)):
        await ward.host.state.set_desired(Desired.RUNNING)
        async with ward.watched(interval_seconds=0.1):
            await comes_to(ward, EventKind.DETECTED)
    assert ward.diary.events[0].verdict is Verdict.PORT_TAKEN
    assert ward.diary.repairs == []
    async with ward.watched(interval_seconds=0.1):
        await is_up(ward)


async def test_a_watchdog_that_dies_in_mid_repair_is_followed_by_one_that_ends_the_incident(
    ward: Ward,
) -> None:
    ward.fake.configure(ready_after=1.0)
    await ward.host.state.set_desired(Desired.RUNNING)
    async with ward.watched(interval_seconds=0.1) as first:

        async def repairing() -> bool:
            return first._healer.repairing and await ward.host.state.spawned() is not None

        await eventually(repairing, bool, seconds=10)
    assert ward.diary.repairs == []
    for _ in range(2):  # what was told once is not told again
        async with ward.watched(interval_seconds=0.1):
            await comes_to(ward, EventKind.RECOVERED)

    assert ward.diary.kinds.count(EventKind.DETECTED) == 1
    (broken_off,) = [event for event in ward.diary.events if event.kind is EventKind.REPAIR]
    assert (broken_off.repair, broken_off.attempt) == ("restart", 1)
    assert broken_off.outcome == "unknown: the watchdog ended"
    assert broken_off.report == f"{broken_off.incident}.md"
    assert broken_off.evidence_before is not None
    assert len([name for name, _, _ in ward.fake.process_log if name == "gateway begins"]) == 1


async def test_a_rollback_is_remembered_before_it_changes_the_config(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str | None] = []

    def watched(history: ConfigHistory, live: LiveConfig) -> str | None:
        kept = StateFile(ward.folder / "watchdog.json").load(now=0.0)
        written.extend(event.repair for event in kept.owed)
        return None

    monkeypatch.setattr(rollback, "_roll_back", watched)
    await keep_as_good(ward)
    ward.fake.config_file.write_text("{ broken")
    await ward.host.state.set_desired(Desired.RUNNING)

    async def seen() -> list[str | None]:
        return written

    async with ward.watched(interval_seconds=0.1):
        await eventually(seen, bool, seconds=RECOVERY_SECONDS)

    assert written[0] == "rollback"
