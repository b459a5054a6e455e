"""What becomes of a change that a killed worker has left: the old config or the new one."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from buddy_common.adapters.change_journal import Side
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.job import NodeLock
from buddy_worker.usecases.settle_change import settle_broken_change, settle_if_free, what_is_there

OLD = {"root": b'{"a": {"$include": "./a.json5"}, "x": "old"}', "part": b'{"b": "old"}'}
NEW = {"root": b'{"a": {"$include": "./a.json5"}, "x": "new"}', "part": b'{"b": "new"}'}


@pytest.fixture
def files(unused_host: HostPlane) -> dict[str, Path]:
    """A config of two files."""
    root = unused_host.config_files.path
    made = {"root": root, "part": root.with_name("a.json5")}
    write(made, OLD)
    for path in made.values():
        path.chmod(0o640)
    return made


def write(files: Mapping[str, Path], contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        files[name].write_bytes(content)


def begin(host: HostPlane, *names: str, writes_all: bool = True) -> None:
    """Note a change of these files, as the worker did that was killed then."""
    state = host.config_files.read()
    backup = host.history.add(state.files[state.root], state.parts, reason=BackupReason.BEFORE_CHANGE)
    paths = {name: path for path in state.files for name in names if (path == state.root) == (name == "root")}
    host.journal.begin(
        "task-1",
        backup=backup.name,
        files={path: state.files[path] for path in paths.values()},
        writes_all=writes_all,
    )


def contents(files: Mapping[str, Path]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files.items()}


def test_without_a_change_there_is_nothing_to_settle(unused_host: HostPlane, files: dict[str, Path]) -> None:
    settle_broken_change(unused_host)

    assert contents(files) == OLD
    assert what_is_there(unused_host, "task-1", None) is None


@pytest.mark.parametrize(
    ("written", "before", "after", "side"),
    [
        ([], Side.OLD, OLD, Side.OLD),
        (["root"], Side.MIXED, OLD, Side.OLD),
        (["part"], Side.MIXED, OLD, Side.OLD),
        (["root", "part"], Side.NEW, NEW, Side.NEW),
    ],
)
def test_a_change_of_two_files_is_made_whole_or_undone(
    written: list[str],
    before: Side,
    after: dict[str, bytes],
    side: Side,
    unused_host: HostPlane,
    files: dict[str, Path],
) -> None:
    begin(unused_host, "root", "part")
    write(files, {name: NEW[name] for name in written})
    assert what_is_there(unused_host, "task-1", None) == before.shown

    settle_broken_change(unused_host)

    assert contents(files) == after
    assert what_is_there(unused_host, "task-1", None) == side.shown
    assert what_is_there(unused_host, "task-2", None) is None
    assert unused_host.journal.open_change() is None
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o640}


@pytest.mark.parametrize("name", ["root", "part"])
def test_a_change_of_one_file_is_made_or_not(
    name: str, unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, name)
    write(files, {name: NEW[name]})

    settle_broken_change(unused_host)

    assert contents(files) == OLD | {name: NEW[name]}
    assert what_is_there(unused_host, "task-1", None) == Side.NEW.shown


@pytest.mark.parametrize("name", ["root", "part"])
def test_what_the_gateway_has_written_into_one_of_two_files_stays(
    name: str, unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, "root", "part", writes_all=False)
    write(files, {name: NEW[name]})

    settle_broken_change(unused_host)

    assert contents(files) == OLD | {name: NEW[name]}
    assert what_is_there(unused_host, "task-1", None) == Side.NEW.shown


def test_settling_twice_changes_nothing_more(unused_host: HostPlane, files: dict[str, Path]) -> None:
    begin(unused_host, "root", "part")
    write(files, {"root": NEW["root"]})

    settle_broken_change(unused_host)
    settle_broken_change(unused_host)

    assert contents(files) == OLD
    assert what_is_there(unused_host, "task-1", None) == Side.OLD.shown


def test_while_somebody_holds_the_lock_it_is_theirs_to_settle(
    unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, "root", "part")
    write(files, {"root": NEW["root"]})
    held = unused_host.locks.try_hold({NodeLock.CONFIG})
    assert held is not None

    settle_if_free(unused_host)
    assert what_is_there(unused_host, "task-1", None) == Side.MIXED.shown
    held.release()
    settle_if_free(unused_host)

    assert contents(files) == OLD
    assert unused_host.locks.are_free({NodeLock.CONFIG})


def test_what_a_killed_writer_has_left_goes_and_other_files_stay(
    unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, "root", "part")
    folder = files["root"].parent
    left = [folder / ".openclaw.json.ab12_xyz", folder / ".a.json5.00000000"]
    others = [folder / name for name in (".openclaw.json.bak", "openclaw.json.ab12_xyz", ".other.ab12_xyz")]
    for path in (*left, *others):
        path.write_text("{}")

    settle_broken_change(unused_host)

    assert [path.exists() for path in left] == [False, False]
    assert all(path.exists() for path in others)


def test_a_file_that_the_change_does_not_concern_stays_as_somebody_has_edited_it(
    unused_host: HostPlane, files: dict[str, Path]
) -> None:
    other = files["root"].with_name("b.json5")
    other.write_bytes(b"{}")
    files["root"].write_bytes(b'{"a": {"$include": "./a.json5"}, "c": {"$include": "./b.json5"}}')
    old = files["root"].read_bytes()
    state = unused_host.config_files.read()
    backup = unused_host.history.add(old, state.parts, reason=BackupReason.BEFORE_CHANGE)
    concerned = {path: state.files[path] for path in (state.root, files["part"].resolve())}
    unused_host.journal.begin("task-1", backup=backup.name, files=concerned)
    write(files, {"root": NEW["root"]})
    other.write_bytes(b'{"by": "hand"}')

    settle_broken_change(unused_host)

    assert contents(files) == {"root": old, "part": OLD["part"]}
    assert other.read_bytes() == b'{"by": "hand"}'


def test_a_file_that_is_gone_meanwhile_stops_nothing_that_comes_next(
    unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, "root", "part")
    files["part"].unlink()

    settle_broken_change(unused_host)

    assert what_is_there(unused_host, "task-1", None) == Side.MIXED.shown
    assert unused_host.journal.open_change() is None


def test_a_copy_that_is_gone_stops_nothing_that_comes_next(
    unused_host: HostPlane, files: dict[str, Path]
) -> None:
    begin(unused_host, "root", "part")
    write(files, {"root": NEW["root"]})
    for record in unused_host.home.rglob("*/records/*.json"):
        record.unlink()

    settle_broken_change(unused_host)

    assert what_is_there(unused_host, "task-1", None) == Side.MIXED.shown
    assert unused_host.journal.open_change() is None
    assert json.loads(files["part"].read_bytes()) == {"b": "old"}
