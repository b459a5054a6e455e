"""What is told of backups: lists, contents and differences, and never a secret."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.config_files import ConfigFiles
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.config_hash import config_hash
from buddy_common.errors import UnknownBackupError
from buddy_common.schemas.backups import CURRENT, BackupQuestion, BackupReason
from buddy_worker.reads.backups import read_backups

KEY = "sk-abcdefghijklmnop-1234"


class Place:
    """A config and its history."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "openclaw.json"
        self.history = ConfigHistory(folder / "backups", keep=50)

    def keep(self, root: str, **parts: str) -> str:
        named = {f"{name}.json": text.encode() for name, text in parts.items()}
        return self.history.add(root.encode(), named, reason=BackupReason.MANUAL, task_id="task-1").name

    def ask(self, **question: Any) -> dict[str, Any]:
        return read_backups(self.history, LiveConfig(self.file), BackupQuestion(**question))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_list_is_empty_at_first_and_there_need_be_no_config(place: Place) -> None:
    assert place.ask() == {"backups": [], "total": 0, "more": False, "current": None}


def test_list_says_what_each_is_and_what_the_file_is_now(place: Place) -> None:
    name = place.keep("{}", a="{}")
    place.file.write_text("{a: 1}")

    found = place.ask()

    (row,) = found["backups"]
    assert (row["name"], row["reason"], row["taskID"], row["size"]) == (name, "manual", "task-1", 2)
    assert row["files"] == ["openclaw.json", "a.json"]
    assert row["hash"] == config_hash([b"{}", b"{}"])
    assert (found["current"]["hash"], found["current"]["size"]) == (hashlib.sha256(b"{a: 1}").hexdigest(), 6)


def test_hash_of_the_config_is_the_same_wherever_it_is_told(place: Place) -> None:
    root = "{b: {$include: './b.json'}, a: {$include: './a.json'}}"
    place.file.write_text(root)
    for name in "ab":
        place.file.with_name(f"{name}.json").write_text(f"{{{name}: 1}}")
    place.keep(root, b="{b: 1}", a="{a: 1}")

    found = place.ask()

    state = ConfigFiles(place.file).read()
    assert found["current"]["hash"] == found["backups"][0]["hash"] == state.hash


def test_list_is_paged_newest_first(place: Place) -> None:
    names = [place.keep(str(n)) for n in range(5)][::-1]
    seen: list[str] = []

    page = place.ask(limit=2)
    while page["more"]:
        seen += [row["name"] for row in page["backups"]]
        page = place.ask(limit=2, before=seen[-1])

    assert [*seen, *(row["name"] for row in page["backups"])] == names
    assert page["total"] == 5


def test_paging_goes_on_from_one_that_was_let_go_meanwhile(place: Place) -> None:
    name = place.keep("{}")

    assert place.ask(before="openclaw-20990101-000000-00000000.bak")["backups"][0]["name"] == name
    assert place.ask(before="openclaw-20010101-000000-00000000.bak")["backups"] == []


def test_content_is_shown_without_its_secrets(place: Place) -> None:
    name = place.keep(f"{{apiKey: '{KEY}', a: 1}}", broken=f"{{apiKey: '{KEY}'")

    found = place.ask(name=name)

    root, part = found["contents"]
    assert json.loads(root["content"]) == {"apiKey": "sk-…1234", "a": 1}
    assert (part["file"], part["content"]) == ("broken.json", None)
    assert "not valid JSON5" in part["problem"]
    assert KEY not in json.dumps(found)


def test_difference_to_the_live_file_is_what_was_changed_since(place: Place) -> None:
    name = place.keep(f"{{apiKey: '{KEY}', a: 1}}")
    place.file.write_text("{apiKey: 'sk-other-secret-value-9876', b: 2}")

    found = place.ask(name=name, against=CURRENT)

    assert not found["identical"]
    assert found["stats"] == {"added": 1, "removed": 1, "changed": 1}
    assert {(change["path"], change["op"]) for change in found["changes"]} == {
        ("apiKey", "replace"),
        ("a", "remove"),
        ("b", "add"),
    }
    assert f"--- openclaw.json ({name})\n+++ openclaw.json (current)" in found["diff"]
    assert found["problem"] is None
    assert "secret-value" not in json.dumps(found)


def test_difference_of_two_backups_has_all_their_files(place: Place) -> None:
    old, new = place.keep("{a: 1}", x="{}", gone="{b: 1}"), place.keep("{a: 1}", x="{c: 1}")

    found = place.ask(name=old, against=new)

    assert [(change["file"], change["path"], change["op"]) for change in found["changes"]] == [
        ("gone.json", "b", "remove"),
        ("x.json", "c", "add"),
    ]
    assert place.ask(name=old, against=old)["identical"]


def test_parts_are_compared_however_they_are_named(place: Place) -> None:
    part = place.file.parent / "a.json"
    old = place.keep("{$include: './a.json'}", **{str(part.with_suffix("")): "{a: 1}"})
    place.file.write_text("{$include: './a.json'}")
    part.write_text("{a: 2}")

    found = place.ask(name=old, against=CURRENT)

    assert [(change["file"], change["path"]) for change in found["changes"]] == [("a.json", "a")]
    assert place.ask()["backups"][0]["files"] == ["openclaw.json", "a.json"]


def test_other_bytes_that_are_no_utf8_are_another_text(place: Place) -> None:
    old = place.history.add(b"{a: '\xff'}", {}, reason=BackupReason.MANUAL).name
    new = place.history.add(b"{a: '\xfe'}", {}, reason=BackupReason.MANUAL).name

    assert not place.ask(name=old, against=new)["identical"]


def test_live_file_that_cannot_be_read_is_told(place: Place) -> None:
    place.file.mkdir()

    found = place.ask(name=place.keep("{}"), against=CURRENT)

    assert "cannot be read" in found["problem"]
    assert not found["identical"]


@pytest.mark.parametrize("against", [None, CURRENT])
def test_unknown_backup_is_told(place: Place, against: str | None) -> None:
    with pytest.raises(UnknownBackupError):
        place.ask(name="openclaw-20260328-100000-1a2b3c4d.bak", against=against)
    with pytest.raises(UnknownBackupError):
        place.ask(name=place.keep("{}"), against="openclaw-20260328-100000-1a2b3c4d.bak")
