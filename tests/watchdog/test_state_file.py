"""What the watchdog remembers over its own death and over a reboot."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from buddy_common.adapters.processes import boot_id
from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog import state_file
from buddy_watchdog.healing import Phase, State
from buddy_watchdog.state_file import BROKEN_OFF, Incident, Remembered, StateFile
from watchdog.looks import GATEWAY

INCIDENT = Incident(id="i", began=datetime(2026, 1, 2, tzinfo=UTC), began_after_boot=90.0)


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "watchdog.json")


def remembered(phase: Phase) -> Remembered:
    state = State(phase=phase, verdict=Verdict.CRASHED, since=90.0, sick_since=90.0, attempts=3)
    return Remembered(boot=boot_id(), state=state, incident=INCIDENT, up=GATEWAY)


def test_what_was_saved_is_there_again(file: StateFile) -> None:
    file.save(remembered(Phase.INCIDENT))

    assert file.load(now=100.0) == remembered(Phase.INCIDENT)
    assert file.load(now=100.0).up == GATEWAY


def test_a_repair_that_broke_off_counts_and_may_be_followed_at_once(file: StateFile) -> None:
    file.save(remembered(Phase.REPAIRING))

    state = file.load(now=100.0).state

    assert (state.phase, state.attempts, state.next_repair_at) == (Phase.INCIDENT, 3, 100.0)


def test_a_repair_that_broke_off_is_owed_to_the_record_and_once(file: StateFile) -> None:
    begun = HealEvent(
        id="e1",
        incident="i",
        node="local",
        at=INCIDENT.began,
        kind=EventKind.REPAIR,
        verdict=Verdict.CONFIG_ERROR,
        reason="It has ended.",
        repair="rollback",
        attempt=3,
    )
    file.save(remembered(Phase.REPAIRING).model_copy(update={"repair": begun}))

    kept = file.load(now=100.0)
    file.save(kept)

    assert kept.repair is None
    assert kept.owed == [begun.model_copy(update={"outcome": BROKEN_OFF})]
    assert file.load(now=100.0).owed == kept.owed


def test_after_a_reboot_the_times_of_before_mean_nothing(
    file: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.save(remembered(Phase.INCIDENT))
    monkeypatch.setattr(state_file, "boot_id", lambda: "another")

    kept = file.load(now=5.0)

    assert (kept.state.since, kept.state.sick_since, kept.state.attempts) == (5.0, None, 3)
    assert kept.incident == INCIDENT.model_copy(update={"began_after_boot": None})
    assert kept.up is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"boot": 1}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, file: StateFile, content: bytes) -> None:
    (tmp_path / "watchdog.json").write_bytes(content)

    assert file.load(now=1.0).state == State()


def test_a_full_disk_does_not_end_the_watching(tmp_path: Path) -> None:
    StateFile(tmp_path / "no" / "watchdog.json").save(remembered(Phase.CALM))
    (tmp_path / "file").write_text("")

    StateFile(tmp_path / "file" / "watchdog.json").save(remembered(Phase.CALM))
