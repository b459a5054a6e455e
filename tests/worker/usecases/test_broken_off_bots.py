"""Bots whose adding, deletion or way back breaks off: what is theirs is where the config says they are."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import ConfigChangedError, UnknownArchiveError, WorkspaceInUseError
from buddy_worker.usecases import add_bot as adding
from buddy_worker.usecases import delete_bot as deleting
from buddy_worker.usecases import restore_bot as restoring
from fakes.openclaw_program import FakeOpenClaw
from worker.usecases.scene import RecordingJob

BREAKS: list[BaseException] = [ConfigChangedError(current="x", changes=None), asyncio.CancelledError()]
Break = Callable[..., None]


@pytest.fixture
def break_off(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Have the change of a config break off before or after it is written."""

    def arrange(module: Any, why: BaseException, *, written: bool) -> None:
        name = "change_config" if module is deleting else "put_bot"
        make = getattr(module, name)

        async def change(*args: Any, **options: Any) -> None:
            if written:
                await make(*args, **options)
            raise why

        monkeypatch.setattr(module, name, change)

    return arrange


@pytest.fixture
def soul(fake_openclaw: FakeOpenClaw) -> Path:
    """The file of a bot `b` that is there."""
    config = json.loads(fake_openclaw.config_file.read_bytes())
    config["agents"] = {"entries": {"main": {}, "b": {}}}
    fake_openclaw.config_file.write_text(json.dumps(config))
    made = fake_openclaw.config_dir / "workspace-b" / "SOUL.md"
    made.parent.mkdir()
    made.write_text("soul")
    return made


def text_of(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)


async def add(job: RecordingJob, folder: Path) -> None:
    await adding.add_bot(
        job.as_job(),
        bot="new",
        name="new",
        emoji=None,
        model=None,
        workspace=str(folder),
        files={"SOUL.md": "soul"},
        base_hash=None,
    )


@pytest.mark.parametrize("why", BREAKS, ids=repr)
@pytest.mark.parametrize("written", [True, False])
async def test_the_files_of_a_new_bot_stay_only_if_its_entry_does(
    why: BaseException, job: RecordingJob, tmp_path: Path, break_off: Break, *, written: bool
) -> None:
    break_off(adding, why, written=written)

    with pytest.raises(type(why)):
        await add(job, tmp_path / "deep" / "er")

    assert (tmp_path / "deep").exists() is written
    assert (tmp_path / "deep" / "er" / "SOUL.md").exists() is written


async def test_files_of_a_run_that_was_killed_are_taken_as_they_are(
    job: RecordingJob, tmp_path: Path, fake_openclaw: FakeOpenClaw
) -> None:
    put(tmp_path / "there" / "SOUL.md", "soul")

    await add(job, tmp_path / "there")

    assert "new" in json.loads(fake_openclaw.config_file.read_bytes())["agents"]["entries"]


async def test_a_folder_in_place_of_a_file_is_in_the_way(job: RecordingJob, tmp_path: Path) -> None:
    (tmp_path / "there" / "SOUL.md").mkdir(parents=True)

    with pytest.raises(WorkspaceInUseError):
        await add(job, tmp_path / "there")


@pytest.mark.parametrize("why", BREAKS, ids=repr)
@pytest.mark.parametrize("written", [True, False])
async def test_a_bot_is_in_the_archive_as_soon_as_its_entry_is_gone(
    why: BaseException,
    host: HostPlane,
    job: RecordingJob,
    soul: Path,
    break_off: Break,
    *,
    written: bool,
) -> None:
    break_off(deleting, why, written=written)

    with pytest.raises(type(why)):
        await deleting.delete_bot(job.as_job(), bot="b", base_hash=None)

    assert (text_of(soul) is None) is written
    if not written:
        assert await asyncio.to_thread(host.bot_archive.listing) == []
        return
    await restoring.restore_bot(job.as_job(), bot="b", archive=None, base_hash=None)
    assert text_of(soul) == "soul"


@pytest.mark.parametrize("why", BREAKS, ids=repr)
@pytest.mark.parametrize("written", [True, False])
async def test_the_folders_of_a_restored_bot_stay_only_if_its_entry_does(
    why: BaseException,
    host: HostPlane,
    job: RecordingJob,
    soul: Path,
    break_off: Break,
    *,
    written: bool,
) -> None:
    await deleting.delete_bot(job.as_job(), bot="b", base_hash=None)
    break_off(restoring, why, written=written)

    with pytest.raises(type(why)):
        await restoring.restore_bot(job.as_job(), bot="b", archive=None, base_hash=None)

    assert (text_of(soul) is None) is not written
    kept = await asyncio.to_thread(host.bot_archive.find, "b", None)
    assert bool((await asyncio.to_thread(host.bot_archive.held, kept)).folders) is not written


async def test_a_bot_whose_folders_never_moved_can_be_restored(
    host: HostPlane, job: RecordingJob, soul: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(type(host.bot_archive), "take_in", lambda *_: None)
        deleted = await deleting.delete_bot(job.as_job(), bot="b", base_hash=None)

    await restoring.restore_bot(job.as_job(), bot="b", archive=deleted.archive, base_hash=None)

    assert text_of(soul) == "soul"
    with pytest.raises(UnknownArchiveError):
        await asyncio.to_thread(host.bot_archive.find, "b", None)


async def test_a_folder_that_is_taken_keeps_the_archive_whole(
    host: HostPlane, job: RecordingJob, soul: Path
) -> None:
    deleted = await deleting.delete_bot(job.as_job(), bot="b", base_hash=None)
    put(soul, "somebody else's")

    with pytest.raises(WorkspaceInUseError):
        await restoring.restore_bot(job.as_job(), bot="b", archive=deleted.archive, base_hash=None)

    assert text_of(soul) == "somebody else's"
    kept = await asyncio.to_thread(host.bot_archive.find, "b", None)
    assert (await asyncio.to_thread(host.bot_archive.held, kept)).folders == {"workspace": str(soul.parent)}
