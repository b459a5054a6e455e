"""A config of several files: read as one, and changed in the file that owns a key."""

import errno
import hashlib
import itertools
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import config_files as module
from buddy_common.adapters.config_files import ConfigFiles, parse_config, to_json
from buddy_common.adapters.config_include import read_with_parts
from buddy_common.config_diff import changes_between
from buddy_common.errors import GatewayConfigError, IncludeUnsupportedError, StateUnwritableError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir()
    return made


@pytest.fixture
def files(folder: Path) -> ConfigFiles:
    return ConfigFiles(folder / "openclaw.json")


def put(folder: Path, **texts: Any) -> None:
    """Write `openclaw.json` and parts; what is no text is written as JSON."""
    for name, value in texts.items():
        file = folder / ("openclaw.json" if name == "root" else f"{name}.json5")
        file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def edit(files: ConfigFiles, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return which files have to change for the whole to be `wanted`, and what they say then."""
    state = files.read()
    new = files.edited(state, changes_between(state.config, wanted))
    return {path.name: json.loads(content) for path, content in new.items()}


def test_a_plain_file_is_read_with_its_hash(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": 1})

    state = files.read()

    content = (folder / "openclaw.json").read_bytes()
    assert state.config == {"a": 1}
    assert state.files == {folder / "openclaw.json": content}
    assert state.hash == hashlib.sha256(content).hexdigest()
    assert not state.has_includes
    assert state.parts == {}
    assert state.is_strict


def test_a_file_with_comments_is_not_strict(files: ConfigFiles, folder: Path) -> None:
    put(folder, root="// mine\n{a: 1,}")

    assert files.read().config == {"a": 1}
    assert not files.read().is_strict


def test_parts_are_read_in_and_kept_apart(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"agents": {"$include": "./agents.json5"}, "x": 1}, agents="{list: [] /* none */}")

    state = files.read()

    assert state.config == {"agents": {"list": []}, "x": 1}
    assert state.has_includes
    assert state.parts == {str(folder / "agents.json5"): b"{list: [] /* none */}"}
    assert not state.is_strict


def test_hash_of_several_files_covers_each_of_them(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}, "b": {"$include": "./b.json5"}}, a="{}", b="{x: 1}")
    first = files.read()

    digests = [hashlib.sha256(content).digest() for content in first.files.values()]
    assert first.hash == hashlib.sha256(b"".join(digests)).hexdigest()
    put(folder, a="{x: 1}", b="{}")
    swapped = files.read()
    put(folder, a="{}")
    assert len({first.hash, swapped.hash, files.read().hash}) == 3


def test_files_of_a_backup_say_together_what_they_said_then(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}, "x": 1}, a="{b: 1}")
    state = files.read()
    put(folder, root={"x": 2}, a="{b: 2}")

    root = state.files[state.root]
    assert files.effective({"openclaw.json": root, **state.parts}) == state.config
    assert files.effective({"openclaw.json": root, "a.json5": b"{b: 1}"}) == state.config
    with pytest.raises(GatewayConfigError):
        files.effective({"openclaw.json": root})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", '{"a": {"$include": "./gone.json5"}}', '{"a": "\\ud83d"}']
)
def test_what_is_no_whole_config_is_refused(text: str, files: ConfigFiles, folder: Path) -> None:
    put(folder, root=text)
    with pytest.raises(GatewayConfigError):
        files.read()


def test_a_file_that_is_not_there_is_refused(files: ConfigFiles) -> None:
    with pytest.raises(GatewayConfigError, match="does not exist"):
        files.read()


def test_a_file_that_is_written_while_it_is_read_is_read_once_more(
    files: ConfigFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, root={"a": 0})
    writes = iter(range(1, 4))

    def read_and_write(path: Path) -> Any:
        found = read_with_parts(path)
        if (number := next(writes, None)) is not None:
            put(folder, root={"a": number})
        return found

    monkeypatch.setattr(module, "read_with_parts", read_and_write)

    state = files.read()

    assert state.config == json.loads(state.files[state.root]) == {"a": 3}


def test_a_file_that_never_holds_still_is_refused(
    files: ConfigFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, root={"a": 0})
    numbers = itertools.count(1)

    def read_and_write(path: Path) -> Any:
        found = read_with_parts(path)
        put(folder, root={"a": next(numbers)})
        return found

    monkeypatch.setattr(module, "read_with_parts", read_and_write)
    with pytest.raises(GatewayConfigError, match="hold still"):
        files.read()


def test_a_key_of_the_root_changes_the_root_only(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"agents": {"$include": "./agents.json5"}, "x": 1}, agents={"list": []})

    assert edit(files, {"agents": {"list": []}, "x": 2, "y": {"z": 3}}) == {
        "openclaw.json": {"agents": {"$include": "./agents.json5"}, "x": 2, "y": {"z": 3}}
    }


def test_a_key_of_a_part_changes_the_part_only(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"agents": {"$include": "./agents.json5"}, "x": 1}, agents={"list": [1], "a": {"b": 1}})

    assert edit(files, {"agents": {"list": [1, 2], "c": 5}, "x": 1}) == {
        "agents.json5": {"list": [1, 2], "c": 5}
    }


def test_a_change_may_concern_several_files(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}, "x": 1}, a={"b": 1})

    assert edit(files, {"a": {"b": 2}, "x": 2}) == {
        "openclaw.json": {"a": {"$include": "./a.json5"}, "x": 2},
        "a.json5": {"b": 2},
    }


def test_a_part_of_a_part_is_changed_where_it_is(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}}, a={"b": {"$include": "./b.json5"}}, b={"c": 1})

    assert edit(files, {"a": {"b": {"c": 2}}}) == {"b.json5": {"c": 2}}


def test_a_file_may_become_empty(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}}, a={"b": 1})

    assert edit(files, {"a": {}}) == {"a.json5": {}}


def test_what_lies_over_an_include_is_changed_there(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5", "b": 1}}, a={"b": 0, "c": 0})

    assert edit(files, {"a": {"b": 2, "c": 0}}) == {"openclaw.json": {"a": {"$include": "./a.json5", "b": 2}}}


OVERLAPS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # the part's key appears once the root's is gone
    ({"a": {"$include": "./a.json5", "b": 1}}, {"b": 0}, {"a": {}}),
    # a new key beside others: it could go into either file
    ({"a": {"$include": "./a.json5", "b": 1}}, {"c": 0}, {"a": {"b": 1, "c": 1}}),
    # what the part has below it cannot be taken away from above
    ({"$include": "./a.json5", "a": {"b": 1}}, {"a": {"c": 1}}, {"a": {"b": 1}}),
    # an object over a text would let the part's keys through
    ({"$include": "./a.json5", "a": 5}, {"a": {"c": 1}}, {"a": {"d": 1}}),
    # several parts
    ({"a": {"$include": ["./a.json5"]}}, {"b": 0}, {"a": {"b": 1}}),
    # the include itself would go
    ({"a": {"$include": "./a.json5"}}, {"b": 0}, {}),
    ({"a": {"$include": "./a.json5"}}, {"b": 0}, {"a": 5}),
    ({"x": {"a": {"$include": "./a.json5"}}}, {"b": 0}, {}),
    ({"x": [{"$include": "./a.json5"}]}, {"b": 0}, {"x": []}),
    # one part in two places
    (
        {"a": {"$include": "./a.json5"}, "b": {"$include": "./a.json5"}},
        {"c": 0},
        {"a": {"c": 1}, "b": {"c": 0}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("root", "part", "wanted"), OVERLAPS)
def test_a_key_that_lies_where_files_overlap_is_refused(
    root: dict[str, Any], part: dict[str, Any], wanted: dict[str, Any], files: ConfigFiles, folder: Path
) -> None:
    put(folder, root=root, a=part)
    with pytest.raises(IncludeUnsupportedError):
        edit(files, wanted)


def test_an_include_of_an_include_is_refused(files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": {"$include": "./a.json5"}}, a={"$include": "./b.json5"}, b={"c": 1})
    with pytest.raises(IncludeUnsupportedError, match=r"a\.c"):
        edit(files, {"a": {"c": 2}})


def test_of_a_link_the_parts_lie_beside_the_link_and_the_target_is_written(
    files: ConfigFiles, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "dotfiles"
    elsewhere.mkdir()
    put(elsewhere, root={"a": {"$include": "./a.json5"}, "x": 1})
    put(folder, a={"b": 1})
    files.path.symlink_to(elsewhere / "openclaw.json")

    state = files.read()
    new = files.edited(state, changes_between(state.config, {"a": {"b": 2}, "x": 2}))
    files.write(new)

    assert files.path.is_symlink()
    assert set(new) == {elsewhere / "openclaw.json", folder / "a.json5"}
    assert files.read().config == {"a": {"b": 2}, "x": 2}


def test_what_was_edited_reads_as_it_was_wanted(files: ConfigFiles, folder: Path) -> None:
    put(folder, root="{a: {$include: './a.json5'}, // x\n '小龙虾': 1}", a={"b": [1]})
    wanted = {"a": {"b": [{"c": None}]}, "小龙虾": "🦞", "n": {"o": {}}}
    state = files.read()

    files.write(files.edited(state, changes_between(state.config, wanted)))

    assert files.read().config == wanted
    assert files.read().is_strict
    assert "🦞" in files.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_that_is_written_keeps_its_mode(mode: int, files: ConfigFiles, folder: Path) -> None:
    put(folder, root={"a": 1})
    files.path.chmod(mode)

    files.write({files.path: b"{}"})

    assert stat.S_IMODE(files.path.stat().st_mode) == mode
    assert [path.name for path in folder.iterdir()] == ["openclaw.json"]


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    call: str, files: ConfigFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put(folder, root={"a": 1})
    monkeypatch.setattr(os, call, full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        files.write({files.path: b"{}"})

    assert [path.name for path in folder.iterdir()] == ["openclaw.json"]
    assert json.loads(files.path.read_bytes()) == {"a": 1}


def test_a_disk_that_is_full_at_the_second_file_leaves_the_first_as_it_was(
    files: ConfigFiles, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [folder / "openclaw.json", folder / "a.json5"]
    for path in paths:
        path.write_bytes(b"old")
    there = sorted(folder.iterdir())
    synced, fsync = iter([True]), os.fsync

    def full_after_one(descriptor: int) -> None:
        if not next(synced, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_after_one)

    with pytest.raises(StateUnwritableError, match=r"a\.json5.*No space left"):
        files.write(dict.fromkeys(paths, b"new"))

    assert [path.read_bytes() for path in paths] == [b"old", b"old"]
    assert sorted(folder.iterdir()) == there


def test_a_file_that_is_gone_is_not_made_again(files: ConfigFiles, folder: Path) -> None:
    with pytest.raises(StateUnwritableError):
        files.write({folder / "gone.json5": b"{}"})
    assert list(folder.iterdir()) == []


def test_json_is_written_as_openclaw_writes_it() -> None:
    assert to_json({"a": {"b": ["小"]}}) == '{\n  "a": {\n    "b": [\n      "小"\n    ]\n  }\n}\n'.encode()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b""])
def test_bytes_that_are_no_config_are_refused(content: bytes) -> None:
    with pytest.raises(GatewayConfigError):
        parse_config(content)
