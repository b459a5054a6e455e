"""What is kept of `openclaw.json`, for how long, and what a damaged disk or a kill does to it."""

import errno
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from buddy_common.adapters import config_history
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.config_hash import config_hash
from buddy_common.errors import StateUnwritableError, UnknownBackupError
from buddy_common.schemas.backups import Backup, BackupReason
from common.racing import race

KEEP = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "node" / "backups"


@pytest.fixture
def history(folder: Path) -> ConfigHistory:
    return ConfigHistory(folder, keep=KEEP)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def add(history: ConfigHistory, content: bytes, reason: BackupReason = BackupReason.MANUAL) -> Backup:
    return history.add(content, {}, reason=reason)


def names(history: ConfigHistory) -> list[str]:
    return [backup.name for backup in history.listing()]


def blobs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "blobs").iterdir())


def test_backup_gives_back_all_its_files_and_says_what_it_is(history: ConfigHistory) -> None:
    before = datetime.now(UTC)

    made = history.add(
        b"{root}", {"agents.json5": b"[part]"}, reason=BackupReason.BEFORE_CHANGE, task_id="t-1"
    )

    assert history.get(made.name) == (made, {"openclaw.json": b"{root}", "agents.json5": b"[part]"})
    assert made.hash == config_hash([b"{root}", b"[part]"])
    assert made.files == {"openclaw.json": sha256(b"{root}"), "agents.json5": sha256(b"[part]")}
    assert (made.size, made.reason, made.task_id) == (6, BackupReason.BEFORE_CHANGE, "t-1")
    assert before <= made.created_at <= datetime.now(UTC)
    assert re.fullmatch(rf"openclaw-\d{{8}}-\d{{6}}-{made.hash[:8]}\.bak", made.name)
    assert f"{made.created_at:%Y%m%d-%H%M%S}" in made.name


def test_there_are_none_before_the_first(history: ConfigHistory) -> None:
    assert history.listing() == []
    assert history.with_hash(sha256(b"{}")) is None


def test_newest_comes_first_and_each_has_a_name_of_its_own(history: ConfigHistory) -> None:
    made = [add(history, content).name for content in (b"a", b"b", b"a", b"a")]

    assert names(history) == made[::-1]
    assert len(set(made)) == len(made)


def test_order_is_that_of_the_additions_although_the_clock_is_put_back(
    history: ConfigHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(history, b"a")

    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Self:
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(config_history, "datetime", Past)
    second = add(history, b"b")

    assert names(history) == [second.name, first.name]


def test_same_bytes_are_kept_once(history: ConfigHistory, folder: Path) -> None:
    add(history, b"a", BackupReason.MANUAL)
    add(history, b"a", BackupReason.BEFORE_RESTORE)

    assert blobs(folder) == [sha256(b"a")]
    assert len(history.listing()) == 2


@pytest.mark.parametrize("reason", [BackupReason.BEFORE_CHANGE, BackupReason.KNOWN_GOOD])
def test_same_bytes_for_the_same_passing_reason_are_the_backup_that_is_there(
    history: ConfigHistory, reason: BackupReason
) -> None:
    first = add(history, b"a", reason)

    assert add(history, b"a", reason) == first
    assert names(history) == [first.name]


@pytest.mark.parametrize(
    ("root", "parts", "reason"),
    [
        (b"b", {}, BackupReason.KNOWN_GOOD),
        (b"a", {"p.json": b"x"}, BackupReason.KNOWN_GOOD),
        (b"a", {}, BackupReason.BEFORE_CHANGE),
        (b"a", {}, BackupReason.MANUAL),
    ],
    ids=str,
)
def test_other_bytes_or_another_reason_are_another_backup(
    history: ConfigHistory, root: bytes, parts: dict[str, bytes], reason: BackupReason
) -> None:
    add(history, b"a", BackupReason.KNOWN_GOOD)

    history.add(root, parts, reason=reason)

    assert len(history.listing()) == 2


def test_files_are_private(history: ConfigHistory, folder: Path) -> None:
    before = os.umask(0)
    try:
        add(history, b"secret")
    finally:
        os.umask(before)

    modes = {path: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in modes}
    assert len(modes) == 6


def test_old_backups_go_with_their_contents(history: ConfigHistory, folder: Path) -> None:
    made = [add(history, str(n).encode(), BackupReason.BEFORE_CHANGE) for n in range(KEEP + 2)]

    assert names(history) == [backup.name for backup in made[:1:-1]]
    assert blobs(folder) == sorted(backup.hash for backup in made[2:])


def test_newest_known_good_and_those_made_by_hand_outlive_the_limit(history: ConfigHistory) -> None:
    old = add(history, b"old", BackupReason.KNOWN_GOOD)
    good = add(history, b"good", BackupReason.KNOWN_GOOD)
    manual = [add(history, b"m%d" % n) for n in range(KEEP + 1)]
    for n in range(KEEP):
        add(history, b"c%d" % n, BackupReason.BEFORE_CHANGE)

    kept = names(history)

    assert len(kept) == 2 * KEEP + 1
    assert good.name in kept
    assert old.name not in kept
    assert {backup.name for backup in manual[1:]} < set(kept)
    assert history.get(good.name)[1] == {"openclaw.json": b"good"}


def test_with_hash_tells_configs_apart_whose_included_files_differ(history: ConfigHistory) -> None:
    made = [history.add(b"a", {"p": part}, reason=BackupReason.MANUAL) for part in (b"1", b"2")]

    for backup in made:
        assert history.with_hash(backup.hash) == history.get(backup.name)
    assert history.with_hash(sha256(b"a")) is None


def test_hash_is_what_the_caller_says_where_other_files_are_kept_beside_the_config(
    history: ConfigHistory,
) -> None:
    made = history.add(b"a", {"other": b"1"}, reason=BackupReason.MANUAL, sha256=sha256(b"a"))

    assert history.with_hash(sha256(b"a")) == (made, {"openclaw.json": b"a", "other": b"1"})


def test_with_hash_finds_the_newest_of_these_bytes(history: ConfigHistory) -> None:
    add(history, b"a")
    second = add(history, b"a")
    add(history, b"b")

    assert history.with_hash(sha256(b"a")) == (second, {"openclaw.json": b"a"})
    assert history.with_hash("0" * 64) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing",
        "../blobs/x",
        "openclaw-20260328-100000-1a2b3c4d.bak",
        "openclaw-20260328-100000-1a2b3c4d.bak/..",
        "openclaw-20260328-100000-1a2b3c4d.bak\n",
        "openclaw-٢0260328-100000-1a2b3c4d.bak",
        "\x00",
    ],
)
def test_other_names_are_unknown(history: ConfigHistory, name: str) -> None:
    add(history, b"a")

    with pytest.raises(UnknownBackupError):
        history.get(name)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"name": "x"}',
        b"\xff\xfe",
        b"{}" * 10,
    ],
)
def test_damaged_record_is_skipped_and_told(history: ConfigHistory, folder: Path, content: bytes) -> None:
    damaged, whole = add(history, b"a"), add(history, b"b")
    (folder / "records" / f"{damaged.name}.json").write_bytes(content)

    with capture_logs() as logs:
        listed = history.listing()

    assert listed == [whole]
    assert [entry["event"] for entry in logs] == ["backup_unreadable"]
    with pytest.raises(UnknownBackupError):
        history.get(damaged.name)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.replace('"name":"openclaw-', '"name":"openclaw-1'),
        lambda record: re.sub(r'"hash":"\w+"', '"hash":"0"', record),
        lambda record: re.sub(r'("created_at":"[^"]*)Z"', r'\1"', record),
    ],
)
def test_record_that_contradicts_itself_is_skipped(
    history: ConfigHistory, folder: Path, change: Callable[[str], str]
) -> None:
    made = add(history, b"a")
    record = folder / "records" / f"{made.name}.json"
    changed = change(record.read_text())
    assert changed != record.read_text()
    record.write_text(changed)

    assert history.listing() == []


def test_record_that_cannot_be_opened_is_skipped_and_no_content_is_let_go(
    history: ConfigHistory, folder: Path
) -> None:
    first = add(history, b"a")
    record = folder / "records" / f"{first.name}.json"
    record.unlink()
    record.mkdir()

    add(history, b"b")

    assert len(history.listing()) == 1
    assert first.hash in blobs(folder)


def test_content_of_a_record_of_another_version_stays(history: ConfigHistory, folder: Path) -> None:
    first = add(history, b"a")
    record = folder / "records" / f"{first.name}.json"
    record.write_text(record.read_text().replace('"manual"', '"of the future"'))

    second = add(history, b"b")

    assert names(history) == [second.name]
    assert first.hash in blobs(folder)


def test_folder_that_cannot_be_listed_has_no_backups(history: ConfigHistory, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "records").write_text("no folder")

    assert history.listing() == []
    with pytest.raises(StateUnwritableError):
        add(history, b"a")


@pytest.mark.parametrize("damage", [lambda blob: blob.write_bytes(b"x"), lambda blob: blob.unlink()])
def test_damaged_content_is_unknown_and_an_older_whole_one_is_none(
    history: ConfigHistory, folder: Path, damage: Callable[[Path], object]
) -> None:
    made = add(history, b"a")
    damage(folder / "blobs" / made.hash)

    with pytest.raises(UnknownBackupError):
        history.get(made.name)
    assert history.with_hash(made.hash) is None


def test_adding_the_same_bytes_mends_a_damaged_content(history: ConfigHistory, folder: Path) -> None:
    made = add(history, b"a", BackupReason.KNOWN_GOOD)
    (folder / "blobs" / made.hash).write_bytes(b"")

    assert add(history, b"a", BackupReason.KNOWN_GOOD) == made
    assert history.get(made.name)[1] == {"openclaw.json": b"a"}


def test_what_a_killed_process_left_is_removed_by_the_next(history: ConfigHistory, folder: Path) -> None:
    add(history, b"a")
    (folder / "blobs" / f".{'0' * 64}.x1").write_bytes(b"half")
    (folder / "blobs" / ("1" * 64)).write_bytes(b"never recorded")
    (folder / "records" / ".openclaw-20260328-100000-1a2b3c4d.bak.json.x1").write_bytes(b"half")

    add(history, b"b")

    assert blobs(folder) == sorted([sha256(b"a"), sha256(b"b")])
    assert len(list((folder / "records").iterdir())) == 2


def test_full_disk_is_told_and_leaves_what_is_there(
    history: ConfigHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(history, b"a")

    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StateUnwritableError, match="No space left") as failure:
            add(history, b"b")

    assert failure.value.status == 507
    assert history.listing() == [first]
    assert add(history, b"b") in history.listing()


def test_several_at_once_lose_nothing(folder: Path) -> None:
    made = race(4, lambda: ConfigHistory(folder, keep=100).add(b"x", {}, reason=BackupReason.MANUAL).name)

    assert sorted(names(ConfigHistory(folder, keep=100))) == sorted(set(made))
    assert len(set(made)) == 4


ADD_WITHOUT_END = f"""
import sys
from pathlib import Path
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.schemas.backups import BackupReason
history = ConfigHistory(Path(sys.argv[1]), keep={KEEP})
for n in range(1_000_000):
    history.add(b"%d" % n, {{}}, reason=BackupReason.BEFORE_CHANGE)
"""


def test_process_killed_while_it_adds_leaves_whole_backups_only(history: ConfigHistory, folder: Path) -> None:
    for _ in range(4):
        known = set(names(history))
        with subprocess.Popen([sys.executable, "-c", ADD_WITHOUT_END, folder]) as child:
            while set(names(history)) == known:  # the test's limit ends it
                assert child.poll() is None
            child.kill()

        with capture_logs() as logs:
            kept = [history.get(name)[1] for name in names(history)]
        assert kept
        assert logs == []

    assert add(history, b"after") in history.listing()
    assert len(blobs(folder)) <= KEEP + 1
