"""What was taken out of the config is kept on the host."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buddy_common.adapters.quarantine import Quarantine
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.healing import Quarantined, QuarantineEntry

AT = datetime(2026, 3, 28, 10, tzinfo=UTC)


def entry(name: str, value: object = "x") -> Quarantined:
    path = ["plugins", "entries", name]
    return Quarantined(id=name, at=AT, incident="i-1", path=path, reason="It does not load.", value=value)


def test_entries_are_listed_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    store = Quarantine(tmp_path / "quarantine.json")
    for name in ("a", "b", "c"):
        store.add(entry(name))
    store.remove("b")

    again = Quarantine(tmp_path / "quarantine.json")
    assert [row.id for row in again.listing()] == ["a", "c"]
    assert again.get("c") == entry("c")
    assert again.get("b") is None


def test_an_entry_that_is_added_twice_is_there_once(tmp_path: Path) -> None:
    store = Quarantine(tmp_path / "quarantine.json")
    store.add(entry("a", {"enabled": True}))
    store.add(entry("a", {"enabled": True}))

    assert store.listing() == [entry("a", {"enabled": True})]


def test_only_the_owner_may_read_what_may_be_secret(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    Quarantine(path).add(entry("a", {"apiKey": "sk-1"}))

    assert path.stat().st_mode & 0o777 == 0o600


def test_to_remove_what_is_not_there_writes_nothing(tmp_path: Path) -> None:
    Quarantine(tmp_path / "quarantine.json").remove("a")

    assert not (tmp_path / "quarantine.json").exists()


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.json"
    path.write_text('[{"id": "a"')
    store = Quarantine(path)
    store.add(entry("b"))

    assert store.listing() == [entry("b")]
    assert [kept.read_text() for kept in tmp_path.glob("quarantine.json.damaged-*")] == ['[{"id": "a"']


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnwritableError):
        Quarantine(tmp_path / "file" / "quarantine.json").add(entry("a"))


def test_a_file_that_cannot_be_read_now_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "quarantine.json"
    store = Quarantine(path)
    store.add(entry("a"))

    def fail(_path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", fail)
        with pytest.raises(StateUnwritableError):
            store.add(entry("b"))
        with pytest.raises(StateUnwritableError):
            store.remove("a")
        assert store.listing() == []

    assert store.listing() == [entry("a")]


def test_what_clients_see_has_no_value() -> None:
    assert "value" not in QuarantineEntry.of(entry("a", "sk-1")).model_dump()
