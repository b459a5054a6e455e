"""`openclaw.json` is read again when it has changed, and only then."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from buddy_common.adapters import config_watch
from buddy_common.adapters.config_include import read_with_parts
from buddy_common.adapters.config_watch import WatchedConfig


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "openclaw.json"


def watched(path: Path, text: str) -> WatchedConfig:
    """A config that has been read once."""
    path.write_text(text)
    config = WatchedConfig(path)
    assert config.refresh()
    return config


def test_nothing_is_read_before_it_is_asked_for(path: Path) -> None:
    path.write_text("{a: 1}")
    config = WatchedConfig(path)

    assert (config.config, config.version, config.problem, config.folder) == ({}, 0, None, path.parent)
    assert not config.known


def test_a_file_is_read_once(path: Path) -> None:
    config = watched(path, "{a: 1}")

    assert (config.config, config.version, config.problem) == ({"a": 1}, 1, None)
    assert not config.refresh()
    assert config.version == 1


def test_while_nothing_changes_the_same_object_stays(path: Path) -> None:
    config = watched(path, "{a: 1}")
    before = config.config

    config.refresh()

    assert config.config is before


def test_an_edit_is_seen(path: Path) -> None:
    config = watched(path, "{a: 1}")

    path.write_text("{a: 12}")

    assert config.refresh()
    assert (config.config, config.version) == ({"a": 12}, 2)


def test_an_edit_of_the_same_length_is_seen(path: Path) -> None:
    config = watched(path, "{a: 1}")
    before = path.stat()

    path.write_text("{a: 2}")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))

    assert config.refresh()
    assert config.config == {"a": 2}


def test_a_file_that_replaces_it_is_seen_even_if_it_looks_the_same(path: Path) -> None:
    config = watched(path, "{a: 1}")
    before = path.stat()

    new = path.with_suffix(".new")
    new.write_text("{a: 2}")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)

    assert config.refresh()
    assert (config.config, config.version) == ({"a": 2}, 2)


def test_a_missing_file_is_an_empty_config(path: Path) -> None:
    config = WatchedConfig(path)

    assert config.refresh()
    assert (config.config, config.known, config.version, config.problem) == ({}, True, 1, None)
    assert not config.refresh()


def test_a_file_that_appears_or_goes_is_seen(path: Path) -> None:
    config = WatchedConfig(path)
    config.refresh()

    path.write_text("{a: 1}")
    assert config.refresh()
    assert config.config == {"a": 1}

    path.unlink()
    assert config.refresh()
    assert (config.config, config.version) == ({"a": 1}, 3)  # as the gateway that has read it
    assert config.problem is not None
    assert not config.refresh()


@pytest.mark.parametrize("broken", ["{", "[1]", "", "text"])
def test_a_broken_file_keeps_the_last_good_config_and_says_why(path: Path, broken: str) -> None:
    config = watched(path, "{a: 1}")

    path.write_text(broken)

    assert config.refresh()
    assert (config.config, config.version) == ({"a": 1}, 2)
    assert config.problem is not None
    assert str(path) in config.problem.message


def test_a_file_that_stays_broken_is_no_change(path: Path) -> None:
    config = watched(path, "{")

    assert not config.refresh()
    assert (config.version, config.config, config.known) == (1, {}, False)
    assert config.problem is not None


def test_another_problem_is_a_change(path: Path) -> None:
    config = watched(path, "{")
    first = config.problem

    path.write_text("[1, 2]")

    assert config.refresh()
    assert config.problem is not None
    assert first is not None
    assert config.problem.message != first.message


def test_a_mended_file_has_no_problem_any_more(path: Path) -> None:
    config = watched(path, "{")

    path.write_text("{a: 1}")

    assert config.refresh()
    assert (config.config, config.known, config.problem, config.version) == ({"a": 1}, True, None, 2)


def test_an_edit_of_an_included_file_is_seen(path: Path) -> None:
    (path.parent / "part.json").write_text("{port: 1}")
    config = watched(path, '{gateway: {$include: "part.json"}}')
    assert config.config == {"gateway": {"port": 1}}
    assert not config.refresh()

    (path.parent / "part.json").write_text("{port: 12}")

    assert config.refresh()
    assert (config.config, config.version) == ({"gateway": {"port": 12}}, 2)
    assert not config.refresh()


def test_an_edit_of_a_file_that_an_included_one_includes_is_seen(path: Path) -> None:
    (path.parent / "one.json").write_text('{$include: "two.json"}')
    (path.parent / "two.json").write_text("{port: 1}")
    config = watched(path, '{gateway: {$include: "one.json"}}')

    (path.parent / "two.json").write_text("{port: 12}")

    assert config.refresh()
    assert config.config == {"gateway": {"port": 12}}


def test_a_file_that_is_included_no_more_is_not_looked_at(path: Path) -> None:
    (path.parent / "part.json").write_text("{port: 1}")
    config = watched(path, '{gateway: {$include: "part.json"}}')
    path.write_text("{gateway: {port: 2}}")
    assert config.refresh()

    (path.parent / "part.json").write_text("{port: 12}")

    assert not config.refresh()
    assert config.config == {"gateway": {"port": 2}}


def test_another_file_in_place_of_an_included_one_is_one_change(path: Path) -> None:
    (path.parent / "one.json").write_text("{port: 1}")
    (path.parent / "two.json").write_text("{port: 2}")
    config = watched(path, '{gateway: {$include: "one.json"}}')

    path.write_text('{gateway: {$include: "./two.json"}}')

    assert config.refresh()
    assert config.config == {"gateway": {"port": 2}}
    assert not config.refresh()
    (path.parent / "two.json").write_text("{port: 22}")
    assert config.refresh()
    assert config.config == {"gateway": {"port": 22}}


@pytest.mark.parametrize(
    "harm", [lambda part: part.unlink(), lambda part: part.write_text("{")], ids=["missing", "broken"]
)
def test_a_broken_include_keeps_the_last_good_config_until_it_is_mended(
    path: Path, harm: Callable[[Path], object]
) -> None:
    part = path.parent / "part.json"
    part.write_text("{port: 1}")
    config = watched(path, '{gateway: {$include: "part.json"}}')

    harm(part)
    assert config.refresh()
    assert config.config == {"gateway": {"port": 1}}
    assert config.problem is not None
    assert not config.refresh()

    part.write_text("{port: 12}")
    assert config.refresh()
    assert config.config == {"gateway": {"port": 12}}
    assert config.problem is None


@pytest.mark.parametrize("first", [None, "{"], ids=["missing", "broken"])
def test_an_include_that_was_never_read_is_seen_when_it_is_mended(path: Path, first: str | None) -> None:
    part = path.parent / "part.json"
    if first is not None:
        part.write_text(first)
    config = watched(path, '{gateway: {$include: "part.json"}}')
    assert config.problem is not None

    part.write_text("{port: 12}")

    assert config.refresh()
    assert config.config == {"gateway": {"port": 12}}
    assert config.problem is None
    assert not config.refresh()


def test_an_edit_while_the_files_are_read_is_not_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which files are included is known only after they were read."""
    (path.parent / "part.json").write_text("{port: 1}")
    path.write_text('{gateway: {$include: "part.json"}}')
    edits = ["{port: 12}"]

    def read_and_edit(file: Path) -> object:
        found = read_with_parts(file)
        if edits:
            (path.parent / "part.json").write_text(edits.pop())
        return found

    monkeypatch.setattr(config_watch, "read_with_parts", read_and_edit)
    config = WatchedConfig(path)

    config.refresh()
    config.refresh()

    assert config.config == {"gateway": {"port": 12}}


def test_a_config_that_is_a_link_is_followed_to_another_file(path: Path) -> None:
    for name in ("one", "two"):
        (path.parent / name).write_text(f"{{a: '{name}'}}")
    path.symlink_to("one")
    config = WatchedConfig(path)
    config.refresh()

    path.unlink()
    path.symlink_to("two")

    assert config.refresh()
    assert config.config == {"a": "two"}
