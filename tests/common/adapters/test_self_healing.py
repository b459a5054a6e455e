"""What the operator wants of the watchdog is kept in one file."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from buddy_common.adapters.self_healing import SelfHealingFile
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.healing import Healing, SelfHealing

NOW = datetime(2026, 3, 28, 10, tzinfo=UTC)
OFF = SelfHealing(mode=Healing.OFF, paused_until=NOW, circuit_closed_at=NOW)


def test_what_is_written_is_read_by_another_process(tmp_path: Path) -> None:
    SelfHealingFile(tmp_path / "node" / "self-healing.json").write(OFF)

    assert SelfHealingFile(tmp_path / "node" / "self-healing.json").read() == OFF


def test_where_there_is_no_file_the_watchdog_heals(tmp_path: Path) -> None:
    wishes = SelfHealingFile(tmp_path / "self-healing.json").read()

    assert wishes.allows_repairs(NOW)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"mode": "perhaps"}', '{"paused_until": "2026-03-28T10:00:00"}']
)
def test_a_damaged_file_is_kept_aside_and_the_defaults_count(tmp_path: Path, content: str) -> None:
    path = tmp_path / "self-healing.json"
    path.write_text(content)
    file = SelfHealingFile(path)

    assert file.read() == SelfHealing()
    file.write(OFF)

    assert file.read() == OFF
    assert [kept.read_text() for kept in tmp_path.glob("self-healing.json.damaged-*")] == [content]


def test_changes_of_several_at_once_are_all_made(tmp_path: Path) -> None:
    path = tmp_path / "self-healing.json"
    SelfHealingFile(path).write(SelfHealing(circuit_closed_at=NOW))

    def later(wishes: SelfHealing) -> SelfHealing:
        closed = wishes.circuit_closed_at or NOW
        return wishes.model_copy(update={"circuit_closed_at": closed + timedelta(seconds=1)})

    threads = [threading.Thread(target=SelfHealingFile(path).change, args=(later,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert SelfHealingFile(path).read().circuit_closed_at == NOW + timedelta(seconds=20)


def test_what_cannot_be_written_is_said_and_the_old_wishes_count(tmp_path: Path) -> None:
    path = tmp_path / "self-healing.json"
    file = SelfHealingFile(path)
    file.write(OFF)
    (tmp_path / "blocked").write_text("")
    blocked = SelfHealingFile(tmp_path / "blocked" / "self-healing.json")

    with pytest.raises(StateUnwritableError):
        blocked.write(SelfHealing())
    assert file.read() == OFF


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "self-healing.json"
    SelfHealingFile(path).write(OFF)

    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_bytes())["mode"] == "off"


def test_only_a_circuit_that_was_open_before_counts_as_closed() -> None:
    assert OFF.closes_circuit(NOW - timedelta(seconds=1))
    assert not OFF.closes_circuit(NOW)
    assert not SelfHealing().closes_circuit(NOW)
