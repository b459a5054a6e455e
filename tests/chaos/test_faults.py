"""What an outside writer does to `openclaw.json`, and what the onlookers make of it."""

import json
from pathlib import Path

import pytest

from chaos.faults import corrupt, is_mended, is_whole, take_back
from chaos.samplers import JournalKeeper
from chaos.schedule import CORRUPTIONS, Act

GOOD = json.dumps({"gateway": {"port": 1}, "plugins": {"entries": {"a": {}}}}, indent=2).encode()
EVENT = {"id": "e", "incident": "i", "kind": "detected", "at": "2026-03-28T10:00:00Z", "repair": None}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "openclaw.json"
    file.write_bytes(GOOD)
    return file


@pytest.mark.parametrize("act", CORRUPTIONS)
def test_a_corrupt_config_counts_as_mended_once_the_writer_has_taken_it_back(config: Path, act: Act) -> None:
    before, broken = corrupt(config, act)

    assert not is_mended(config, act)
    assert is_whole(config.read_bytes()) is (act is not Act.HALF_CONFIG)

    take_back(config, broken, before)

    assert is_mended(config, act)
    assert config.read_bytes() == GOOD


def test_the_writer_takes_nothing_back_that_somebody_else_has_written_since(config: Path) -> None:
    before, broken = corrupt(config, Act.UNKNOWN_KEY)
    config.write_bytes(b"{}")

    take_back(config, broken, before)

    assert config.read_bytes() == b"{}"


def test_the_journal_keeps_what_the_watchdog_removes_and_passes_over_a_torn_line(tmp_path: Path) -> None:
    record = tmp_path / "home" / "nodes" / "local" / "record"
    record.mkdir(parents=True)
    keeper = JournalKeeper(tmp_path / "home", tmp_path / "kept")
    for number in (1, 2):
        file = record / f"events-{number:08d}.jsonl"
        file.write_text(json.dumps(EVENT | {"id": f"e-{number}"}) + "\n" + '{"id": "to')
        keeper.look()
        file.unlink()

    assert [event.id for event in keeper.events()] == ["e-1", "e-2"]
