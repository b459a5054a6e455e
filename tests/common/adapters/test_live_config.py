"""The files of a config, read and replaced as bytes."""

import errno
import os
from pathlib import Path

import pytest

from buddy_common.adapters.live_config import LiveConfig
from buddy_common.errors import ConfigRejectedError, GatewayConfigError, StateUnwritableError

ROOT = "openclaw.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "parts").mkdir(parents=True)
    return folder


@pytest.fixture
def files(folder: Path) -> LiveConfig:
    return LiveConfig(folder / ROOT)


def test_root_and_its_parts_are_read_as_they_are(files: LiveConfig, folder: Path) -> None:
    root = b"{agents: {$include: './parts/a.json5'}} // \xc3\xa9"
    (folder / ROOT).write_bytes(root)
    (folder / "parts" / "a.json5").write_bytes(b"{b: {$include: '../b.json'}}")
    (folder / "b.json").write_bytes(b"{}")

    assert files.read() == {
        ROOT: root,
        "parts/a.json5": b"{b: {$include: '../b.json'}}",
        "b.json": b"{}",
    }


def test_part_in_another_folder_that_is_allowed_has_its_whole_path(
    files: LiveConfig, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "shared.json"
    part.write_bytes(b"{}")
    (folder / ROOT).write_text(f'{{"$include": "{part}"}}')
    monkeypatch.setenv("OPENCLAW_INCLUDE_ROOTS", str(tmp_path))

    assert files.read()[str(part)] == b"{}"
    files.write({str(part): b"new"})
    assert part.read_bytes() == b"new"


def test_missing_file_is_left_out(files: LiveConfig) -> None:
    assert files.read() == {}
    assert files.read(["parts/a.json"]) == {}
    assert files.look() is None


def test_of_a_broken_root_only_what_is_named_is_read_beside_it(files: LiveConfig, folder: Path) -> None:
    (folder / ROOT).write_bytes(b"{")
    (folder / "b.json").write_bytes(b"b")

    assert files.read() == {ROOT: b"{"}
    assert files.read(["b.json"]) == {ROOT: b"{", "b.json": b"b"}


def test_what_cannot_be_read_is_told(files: LiveConfig, folder: Path) -> None:
    (folder / ROOT).mkdir()

    with pytest.raises(GatewayConfigError, match="cannot be read"):
        files.read()
    assert files.look() is None


def test_root_is_seen_with_the_time_of_its_last_change(files: LiveConfig, folder: Path) -> None:
    (folder / ROOT).write_bytes(b"{}")
    os.utime(folder / ROOT, (1_795_000_000, 1_795_000_000))

    live = files.look()

    assert live is not None
    assert (live.content, live.updated_at.isoformat()) == (b"{}", "2026-11-18T11:06:40+00:00")


def test_replaced_files_keep_their_mode_and_new_ones_are_private(files: LiveConfig, folder: Path) -> None:
    (folder / ROOT).write_bytes(b"old")
    (folder / ROOT).chmod(0o640)

    files.write({ROOT: b"new", "more/a.json": b"a"})

    assert (folder / ROOT).read_bytes() == b"new"
    assert (folder / ROOT).stat().st_mode & 0o777 == 0o640
    assert (folder / "more" / "a.json").stat().st_mode & 0o777 == 0o600


def test_files_are_named_alike_however_a_backup_names_them(files: LiveConfig, folder: Path) -> None:
    inside, outside = str(folder.resolve() / "parts" / "a.json"), "/elsewhere/b.json"

    assert files.named({ROOT: b"1", inside: b"2", outside: b"3", "c.json": b"4"}) == {
        ROOT: b"1",
        "parts/a.json": b"2",
        outside: b"3",
        "c.json": b"4",
    }


def test_owner_stays_and_that_of_a_new_file_is_that_of_its_folder(
    files: LiveConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    there = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = list(there(path, **options))
        found[4], found[5] = 4711, 4712
        return os.stat_result(found)

    (folder / ROOT).write_bytes(b"old")
    monkeypatch.setattr(Path, "stat", stat)
    for name in ("fchown", "chown"):
        monkeypatch.setattr(os, name, lambda _file, user, group: given.append((user, group)))

    files.write({ROOT: b"new", "new.json": b"new"})

    assert given == [(4711, 4712), (4711, 4712)]


def test_link_stays_and_what_it_leads_to_is_replaced(files: LiveConfig, folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.json"
    kept.write_bytes(b"old")
    (folder / ROOT).symlink_to(kept)

    files.write({ROOT: b"new"})

    assert (folder / ROOT).is_symlink()
    assert kept.read_bytes() == b"new"


def test_none_removes_a_file(files: LiveConfig, folder: Path) -> None:
    (folder / ROOT).write_bytes(b"old")

    files.write({ROOT: None, "parts/none.json": None})

    assert not (folder / ROOT).exists()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\x00", "./openclaw.json", "loop/x", "out/x"])
def test_name_that_leads_elsewhere_is_refused_and_nothing_is_written(
    files: LiveConfig, folder: Path, tmp_path: Path, name: str
) -> None:
    (folder / ROOT).write_bytes(b"old")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "out").symlink_to(tmp_path)

    with pytest.raises(ConfigRejectedError):
        files.write({"a.json": b"a", name: b"x", ROOT: b"new"})
    with pytest.raises(ConfigRejectedError):
        files.read([name])

    assert (folder / ROOT).read_bytes() == b"old"
    assert not (folder / "a.json").exists()


def test_root_is_written_last(files: LiveConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ROOT).write_bytes(b"old")
    (folder / "a.json").write_bytes(b"old")

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StateUnwritableError, match=r"a\.json.*No space left"):
        files.write({ROOT: b"new", "a.json": b"new"})

    assert [(folder / name).read_bytes() for name in (ROOT, "a.json")] == [b"old", b"old"]


def test_a_disk_that_is_full_at_the_second_file_leaves_the_first_as_it_was(
    files: LiveConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ROOT).write_bytes(b"old")
    (folder / "a.json").write_bytes(b"old")
    (folder / "gone.json").write_bytes(b"old")
    there = sorted(folder.iterdir())
    synced, fsync = iter([True]), os.fsync

    def full_after_one(descriptor: int) -> None:
        if not next(synced, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_after_one)

    with pytest.raises(StateUnwritableError, match=r"openclaw\.json.*No space left"):
        files.write({ROOT: b"new", "a.json": b"new", "gone.json": None})

    assert {path.read_bytes() for path in folder.iterdir() if path.is_file()} == {b"old"}
    assert sorted(folder.iterdir()) == there
