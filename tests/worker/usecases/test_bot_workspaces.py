"""Where the workspace of a bot may be, and where it would do harm."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_config import Config
from buddy_common.errors import BuddyError, InvalidRequestError, UnknownBotError, WorkspaceInUseError
from buddy_worker.usecases import bot_workspaces
from buddy_worker.usecases.add_bot import add_bot
from buddy_worker.usecases.bot_workspaces import require_workspace, workspaces_of
from buddy_worker.usecases.delete_bot import delete_bot
from buddy_worker.usecases.restore_bot import restore_bot
from buddy_worker.usecases.update_bot import update_bot
from fakes.openclaw_program import FakeOpenClaw
from worker.usecases.scene import RecordingJob

HOME = Path("~").expanduser()
CONFIG: Config = {
    "gateway": {"mode": "local"},
    "agents": {
        "entries": {
            "main": {"workspace": "/srv/bots/main"},
            "a": {"workspace": "~/bots/a"},
            "b": {},
            "c": {"workspace": "~nobody-of-this-name/c"},
        }
    },
}


@pytest.fixture(autouse=True)
def config(fake_openclaw: FakeOpenClaw) -> bytes:
    """A config with bots here and there."""
    config = json.loads(fake_openclaw.config_file.read_bytes()) | CONFIG
    fake_openclaw.config_file.write_text(json.dumps(config))
    return fake_openclaw.config_file.read_bytes()


async def add(job: RecordingJob, **asked: Any) -> Any:
    wanted: dict[str, Any] = {
        "bot": "new",
        "name": "new",
        "emoji": None,
        "model": None,
        "workspace": None,
        "files": {},
    }
    return await add_bot(job.as_job(), **(wanted | asked), base_hash=None)


REFUSED = [
    *(
        "/",
        "/etc",
        "/etc/openclaw",
        "//etc",
        "///etc/x",
        "/./etc/x",
        "/usr/share/x",
        "/proc/1",
        "/dev/x",
        "/home",
    ),
    *("relative", "~/x", "", "/a/../etc", "/a\x00b"),
]


@pytest.mark.parametrize("folder", REFUSED)
async def test_a_folder_of_the_system_is_refused(
    folder: str, host: HostPlane, job: RecordingJob, config: bytes, fake_openclaw: FakeOpenClaw
) -> None:
    with pytest.raises(InvalidRequestError, match="workspace"):
        await require_workspace(host, CONFIG, bot="new", folder=folder)
    if folder:
        with pytest.raises(InvalidRequestError, match="workspace"):
            await add(job, workspace=folder)
    with pytest.raises(InvalidRequestError, match="workspace"):
        await update_bot(job.as_job(), bot="b", fields={"workspace": folder}, base_hash=None)

    assert fake_openclaw.config_file.read_bytes() == config


@pytest.mark.parametrize(
    "place",
    [".", "..", "agents", "agents/main", "credentials/x", "openclaw.json", "extensions"],
)
async def test_what_openclaw_keeps_is_refused(
    place: str, host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    with pytest.raises(InvalidRequestError, match="workspace"):
        await require_workspace(host, CONFIG, bot="new", folder=f"{fake_openclaw.config_dir}/{place}")


@pytest.mark.parametrize("place", [".", "nodes", "logs/x"])
async def test_what_buddy_keeps_is_refused(place: str, host: HostPlane) -> None:
    with pytest.raises(InvalidRequestError, match="Buddy"):
        await require_workspace(host, CONFIG, bot="new", folder=f"{host.home}/{place}")


@pytest.mark.parametrize(
    ("folder", "owner"),
    [
        ("/srv/bots/main", "main"),
        ("/srv/bots/main/", "main"),
        ("//srv/bots/./main", "main"),
        ("/srv/bots", "main"),
        ("{home}/bots/a", "a"),
        ("{state}/workspace-b", "b"),
    ],
)
async def test_the_workspace_of_another_bot_is_refused(
    folder: str, owner: str, host: HostPlane, fake_openclaw: FakeOpenClaw
) -> None:
    place = folder.format(home=HOME, state=fake_openclaw.config_dir)

    with pytest.raises(WorkspaceInUseError, match=repr(owner)):
        await require_workspace(host, CONFIG, bot="new", folder=place)


async def test_a_link_is_taken_for_what_it_leads_to(
    host: HostPlane, tmp_path: Path, fake_openclaw: FakeOpenClaw
) -> None:
    for name, target in (("a", "/etc"), ("b", str(fake_openclaw.config_dir)), ("c", "/srv/bots/main")):
        (tmp_path / name).symlink_to(target)

    with pytest.raises(InvalidRequestError):
        await require_workspace(host, CONFIG, bot="new", folder=str(tmp_path / "a"))
    with pytest.raises(InvalidRequestError):
        await require_workspace(host, CONFIG, bot="new", folder=str(tmp_path / "b" / "agents"))
    with pytest.raises(WorkspaceInUseError):
        await require_workspace(host, CONFIG, bot="new", folder=str(tmp_path / "c"))


async def test_a_file_is_no_workspace(host: HostPlane, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InvalidRequestError, match="is no folder"):
        await require_workspace(host, CONFIG, bot="new", folder=str(file))


@pytest.mark.parametrize("name", ["a" * 256, "工" * 86])
async def test_a_name_that_no_folder_can_have_is_refused(name: str, host: HostPlane, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="workspace"):
        await require_workspace(host, CONFIG, bot="new", folder=f"{tmp_path}/{name}/x")


@pytest.mark.parametrize("place", ["new", "deep/er/new", "工作"])
async def test_any_other_folder_is_fine(place: str, host: HostPlane, tmp_path: Path) -> None:
    folder = tmp_path / place
    assert await require_workspace(host, CONFIG, bot="new", folder=str(folder)) == folder


async def test_a_bot_may_keep_its_own(host: HostPlane) -> None:
    own = "/srv/bots/main"
    assert await require_workspace(host, CONFIG, bot="main", folder=own) == Path(own)


@pytest.mark.parametrize("value", [5, [], {}, True])
async def test_an_update_to_no_path_is_refused(value: Any, job: RecordingJob) -> None:
    with pytest.raises(InvalidRequestError, match=r"config\.workspace"):
        await update_bot(job.as_job(), bot="b", fields={"workspace": value}, base_hash=None)


async def test_an_update_of_nobody_is_refused_first(job: RecordingJob, tmp_path: Path) -> None:
    with pytest.raises(UnknownBotError):
        await update_bot(job.as_job(), bot="x", fields={"workspace": str(tmp_path / "w")}, base_hash=None)


async def test_a_bot_that_is_added_has_its_folder_and_its_entry(
    job: RecordingJob, host: HostPlane, tmp_path: Path, fake_openclaw: FakeOpenClaw
) -> None:
    folder = tmp_path / "deep" / "er"

    added = await add(job, workspace=str(folder), files={"SOUL.md": "soul"})

    assert (added.id, added.workspace, added.applied) == ("new", str(folder), "next start")
    assert (folder / "SOUL.md").read_bytes() == b"soul"
    entry = json.loads(fake_openclaw.config_file.read_bytes())["agents"]["entries"]["new"]
    assert entry["workspace"] == str(folder)


async def test_a_bot_that_openclaw_refuses_leaves_nothing(
    job: RecordingJob, tmp_path: Path, config: bytes, fake_openclaw: FakeOpenClaw
) -> None:
    broken = json.loads(config) | {"fake": {"invalid": "no"}}
    fake_openclaw.config_file.write_text(json.dumps(broken))
    before = fake_openclaw.config_file.read_bytes()

    with pytest.raises(BuddyError, match="Nothing was written"):
        await add(job, workspace=str(tmp_path / "deep" / "er"), files={"SOUL.md": "soul"})

    assert not (tmp_path / "deep").exists()
    assert fake_openclaw.config_file.read_bytes() == before


async def test_files_of_others_are_not_written_over(job: RecordingJob, tmp_path: Path) -> None:
    soul = tmp_path / "theirs" / "SOUL.md"
    await asyncio.to_thread(soul.parent.mkdir)
    await asyncio.to_thread(soul.write_text, "theirs")

    with pytest.raises(WorkspaceInUseError, match="such files"):
        await add(job, workspace=str(soul.parent), files={"AGENTS.md": "new", "SOUL.md": "new"})

    assert await asyncio.to_thread(soul.read_text) == "theirs"
    assert not await asyncio.to_thread(soul.with_name("AGENTS.md").exists)


@pytest.mark.parametrize(
    "place", ["agents", "workspace", "credentials", "openclaw.json", "../state", "workspace/../agents"]
)
async def test_of_a_deleted_bot_only_what_is_its_own_moves_into_the_archive(
    place: str, job: RecordingJob, fake_openclaw: FakeOpenClaw
) -> None:
    state = fake_openclaw.config_dir
    for name in ("agents", "workspace", "credentials"):
        (state / name).mkdir()
        (state / name / "x").touch()
    config = json.loads(fake_openclaw.config_file.read_bytes())
    config["agents"]["entries"] = {"main": {}, "b": {"workspace": str(state / place)}}
    fake_openclaw.config_file.write_text(json.dumps(config))

    deleted = await delete_bot(job.as_job(), bot="b", base_hash=None)

    assert deleted.workspaceKept == str(state / place)
    assert all((state / name / "x").exists() for name in ("agents", "workspace", "credentials"))


async def test_a_bot_is_deleted_with_its_workspace_and_restored_with_it(
    job: RecordingJob, config: bytes, fake_openclaw: FakeOpenClaw
) -> None:
    added = await add(job, files={"SOUL.md": "soul"})
    soul = Path(added.workspace, "SOUL.md")
    whole = fake_openclaw.config_file.read_bytes()

    deleted = await delete_bot(job.as_job(), bot="new", base_hash=None)
    assert deleted.workspaceKept is None
    assert not await asyncio.to_thread(soul.exists)
    assert "new" not in json.loads(fake_openclaw.config_file.read_bytes())["agents"]["entries"]

    restored = await restore_bot(job.as_job(), bot="new", archive=deleted.archive, base_hash=None)

    assert restored.archive == deleted.archive
    assert await asyncio.to_thread(soul.read_text) == "soul"
    assert json.loads(fake_openclaw.config_file.read_bytes()) == json.loads(whole)
    assert whole != config


@pytest.mark.parametrize(
    ("told", "for_all", "meant"),
    [
        ({"main": "/told/ws"}, "/srv/ws", "/told/ws"),
        ({}, "/srv/ws", "/srv/ws"),
        ({}, None, "{state}/workspace"),
    ],
    ids=["of the gateway", "for all", "nobody's"],
)
async def test_the_bot_that_was_alone_keeps_its_workspace_when_another_is_added_or_restored(
    told: dict[str, str],
    for_all: str | None,
    meant: str,
    job: RecordingJob,
    fake_openclaw: FakeOpenClaw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def known(_host: HostPlane) -> dict[str, str]:
        return told

    monkeypatch.setattr(bot_workspaces, "known_workspaces", known)
    config = json.loads(fake_openclaw.config_file.read_bytes())
    config["agents"] = {
        "entries": {"main": {}, "b": {"workspace": str(fake_openclaw.config_dir / "workspace-b")}},
        "defaults": {"workspace": for_all} if for_all else {},
    }
    fake_openclaw.config_file.write_text(json.dumps(config))

    def of_main() -> Any:
        return json.loads(fake_openclaw.config_file.read_bytes())["agents"]["entries"]["main"]

    await delete_bot(job.as_job(), bot="b", base_hash=None)
    assert of_main() == {}
    await restore_bot(job.as_job(), bot="b", archive=None, base_hash=None)
    restored = of_main()
    config["agents"]["entries"] = {"main": {}}
    fake_openclaw.config_file.write_text(json.dumps(config))
    await add(job)

    assert restored == of_main() == {"workspace": meant.format(state=fake_openclaw.config_dir)}


def test_where_neither_file_nor_gateway_says_it_every_place_that_can_be_counts() -> None:
    config: Config = {"agents": {"entries": {"main": {}, "a": {}}, "defaults": {"workspace": "/srv/all"}}}

    found = workspaces_of(config, Path("/state"), {"a": "/told/a"})

    assert found == {
        "main": {
            Path("/state/workspace-main"),
            Path("/state/workspace"),
            Path("/srv/all"),
            Path("/srv/all/main"),
        },
        "a": {Path("/told/a")},
    }
