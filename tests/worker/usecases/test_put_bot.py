"""Bots that OpenClaw remembers as deleted: they are made anew, whole or not at all."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.deleted_agents import is_remembered_as_deleted
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import BotExistsError, ConfigRejectedError
from buddy_worker.usecases.add_bot import BotAdded, add_bot
from buddy_worker.usecases.delete_bot import delete_bot
from buddy_worker.usecases.put_bot import put_bot
from buddy_worker.usecases.restore_bot import restore_bot
from fakes.gateway import NO_ANSWER, FakeGateway, Refusal, running
from worker.usecases.scene import RecordingJob, patched, serve_as_gateway

Params = dict[str, Any]
IDENTITY = "- **Name:** the architect"


class RememberingGateway:
    """A gateway that knows whom it has deleted."""

    def __init__(self, host: HostPlane) -> None:
        self.file = host.config_files.path
        self.workspace = host.gateway_settings.config_dir / "workspace-b"
        self._state = host.gateway_settings.config_dir / "state" / "openclaw.sqlite"
        self.fake = FakeGateway(
            {
                "config.get": {"hash": "h"},
                "config.patch": self._patch,
                "agents.create": self._create,
                "agents.delete": self._delete,
            }
        )

    @property
    def bots(self) -> dict[str, Any]:
        agents: dict[str, Any] = json.loads(self.file.read_bytes()).get("agents", {})
        return dict(agents.get("entries", {}))

    @property
    def asked(self) -> list[str]:
        """What it was called for, without what only looks."""
        found = []
        while not self.fake.calls.empty():
            found.append(self.fake.calls.get_nowait()[0])
        return [method for method in found if method != "config.get"]

    def remember(self, bot: str) -> None:
        self._write("INSERT INTO agent_deletion_journal VALUES (?)", bot)

    def _patch(self, params: Params) -> Params:
        return self._change(lambda config: patched(config, params))

    def _create(self, params: Params) -> Params:
        bot, workspace = params["name"], params["workspace"]
        identity = Path(workspace, "IDENTITY.md")
        identity.parent.mkdir(exist_ok=True)
        identity.write_text(f"- **Name:** {bot}")
        entry = {"name": bot, "workspace": workspace, "agentDir": "/a", "identity": {"name": bot}}
        self._write("DELETE FROM agent_deletion_journal WHERE agent_id = ?", bot)
        return self._change(
            lambda config: config.setdefault("agents", {}).setdefault("entries", {}).update({bot: entry})
        )

    def _delete(self, params: Params) -> Params:
        """Its sessions go with it."""
        bot = params["agentId"]
        self.remember(bot)
        database = sessions_of(self.file.parent, bot)
        if database.exists():
            with closing(sqlite3.connect(database)) as sessions, sessions:
                sessions.execute("DELETE FROM said")
        return self._change(lambda config: config["agents"]["entries"].pop(bot))

    def _change(self, change: Callable[[dict[str, Any]], object]) -> Params:
        config = json.loads(self.file.read_bytes())
        change(config)
        self.file.write_text(json.dumps(config))
        return {"ok": True}

    def _write(self, statement: str, bot: str) -> None:
        self._state.parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(self._state)) as state, state:
            state.execute("CREATE TABLE IF NOT EXISTS agent_deletion_journal (agent_id TEXT)")
            state.execute(statement, (bot,))


def sessions_of(config_dir: Path, bot: str) -> Path:
    return config_dir / "agents" / bot / "agent" / "openclaw-agent.sqlite"


@pytest.fixture
def gateway(host: HostPlane) -> RememberingGateway:
    made = RememberingGateway(host)
    config = json.loads(made.file.read_bytes())
    made.file.write_text(json.dumps(config | {"agents": {"entries": {"main": {}}}}))
    made.remember("b")
    return made


@pytest.fixture
async def up(
    host: HostPlane, gateway: RememberingGateway, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RememberingGateway]:
    await serve_as_gateway(host, gateway.fake, monkeypatch)
    async with running(gateway.fake):
        yield gateway


async def add(job: RecordingJob) -> BotAdded:
    return await add_bot(
        job.as_job(),
        bot="b",
        name="建筑师",
        emoji="🤖",
        model=None,
        workspace=None,
        files={"IDENTITY.md": IDENTITY},
        base_hash=None,
    )


async def is_remembered(host: HostPlane) -> bool:
    return await asyncio.to_thread(is_remembered_as_deleted, host.gateway_settings.config_dir, "b")


async def test_the_gateway_makes_a_bot_that_it_has_deleted_before_it_gets_its_settings(
    host: HostPlane, job: RecordingJob, up: RememberingGateway
) -> None:
    added = await add(job)

    assert up.asked == ["agents.create", "config.patch"]
    assert up.bots["b"] == {
        "name": "建筑师",
        "workspace": str(up.workspace),
        "identity": {"name": "建筑师", "emoji": "🤖"},
    }
    assert (up.workspace / "IDENTITY.md").read_text() == IDENTITY
    assert not await is_remembered(host)
    assert (added.via, added.left) == ("rpc", None)
    assert "agents.entries.b" in added.changed
    assert (await asyncio.to_thread(host.history.listing))[-1].name == added.backup


async def test_a_bot_that_cannot_get_its_settings_is_not_there(
    host: HostPlane, job: RecordingJob, up: RememberingGateway
) -> None:
    before = up.file.read_bytes()
    up.fake.methods["config.patch"] = Refusal("INVALID_REQUEST", "invalid config: agents: bad")

    with pytest.raises(ConfigRejectedError, match="bad"):
        await add(job)

    assert json.loads(up.file.read_bytes()) == json.loads(before)
    assert not (up.workspace / "IDENTITY.md").exists()
    assert up.asked == ["agents.create", "config.patch"], "by agents.delete its sessions would go"


async def test_a_bot_that_somebody_adds_meanwhile_outlives_one_that_cannot_get_its_settings(
    job: RecordingJob, up: RememberingGateway
) -> None:
    def refuse(_: Params) -> Params:
        config = json.loads(up.file.read_bytes())
        config["agents"]["entries"]["panel"] = {"name": "theirs"}
        up.file.write_text(json.dumps(config))
        raise Refusal("INVALID_REQUEST", "invalid config: agents: bad")

    up.fake.methods["config.patch"] = refuse

    with pytest.raises(ConfigRejectedError, match="bad"):
        await add(job)

    assert set(up.bots) == {"main", "panel"}


async def test_a_job_that_is_cut_off_between_both_says_what_is_there(
    job: RecordingJob, up: RememberingGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    def patch(_: Params) -> Any:
        asked.set()
        return NO_ANSWER

    monkeypatch.setattr("buddy_worker.usecases.patch_config.CUT_OFF_SECONDS", 0.01)
    up.fake.methods["config.patch"] = patch
    adding = asyncio.create_task(add(job))
    async with asyncio.timeout(5):
        await asked.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding

    assert "b" in up.bots
    assert (up.workspace / "IDENTITY.md").read_text() == IDENTITY
    assert job.left == "The bot 'b' is in openclaw.json, but some of its settings may not be."


async def test_a_bot_that_is_there_stays_as_it_is(
    job: RecordingJob, up: RememberingGateway, tmp_path: Path
) -> None:
    def refuse(_: object) -> None:
        raise BotExistsError("b")

    with pytest.raises(BotExistsError):
        await put_bot(job.as_job(), "b", refuse, workspace=tmp_path, base_hash=None)

    assert up.asked == []


async def test_without_a_gateway_openclaws_command_is_told_of_the_bot(
    host: HostPlane, job: RecordingJob, gateway: RememberingGateway
) -> None:
    added = await add(job)

    assert (added.via, added.left) == ("file", None)
    assert gateway.bots["b"]["name"] == "建筑师"
    assert not await is_remembered(host)
    assert job.commands[-1] == "openclaw agents add"


async def test_what_is_left_to_do_is_told_where_the_command_did_not_help(
    host: HostPlane, job: RecordingJob, gateway: RememberingGateway
) -> None:
    config = json.loads(gateway.file.read_bytes())
    gateway.file.write_text(json.dumps(config | {"fake": {"agents": "forgetful"}}))

    added = await add(job)

    assert await is_remembered(host)
    assert added.left is not None
    assert "run `openclaw agents add b --non-interactive --workspace" in added.left
    assert "already exists" in added.left


async def test_a_bot_that_openclaw_does_not_remember_costs_no_second_change(
    job: RecordingJob, host: HostPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = RememberingGateway(host)
    await serve_as_gateway(host, gateway.fake, monkeypatch)
    async with running(gateway.fake):
        await add(job)

    assert gateway.asked == ["config.patch"]


async def test_a_restored_bot_has_the_sessions_that_openclaw_took_away(
    job: RecordingJob, up: RememberingGateway
) -> None:
    await add(job)
    database = sessions_of(up.file.parent, "b")
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as sessions, sessions:
        sessions.execute("CREATE TABLE said (text)")
        sessions.execute("INSERT INTO said VALUES ('hello')")

    await delete_bot(job.as_job(), bot="b", base_hash=None)
    assert not database.exists()
    await restore_bot(job.as_job(), bot="b", archive=None, base_hash=None)

    with closing(sqlite3.connect(database)) as sessions:
        assert sessions.execute("SELECT text FROM said").fetchall() == [("hello",)]
