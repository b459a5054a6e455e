"""The node's reader, on a real broker and a gateway that speaks the real protocol."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.read_model import ReadHead
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import GatewayUnreachableError
from buddy_common.schemas.backups import BackupQuestion, BackupReason
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.resources import MIRRORED, Resource
from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.reads import mirror as module
from buddy_worker.reads.mirror import Mirror
from buddy_worker.reads.table import READS
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.gateway import NO_ANSWER, TOKEN, FakeGateway, Refusal
from worker.reads.recorded import NEW, recording

SECONDS = 20


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals are what is waited for here."""
    for name, seconds in {"LEAD_SECONDS": 0.05, "LOOK_SECONDS": 0.05, "BEAT_SECONDS": 0.05}.items():
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    recorded = recording(NEW)
    fake = FakeGateway({name: answer for name, answer in recorded.items() if name != "hello"})
    fake.methods["sessions.subscribe"] = {"subscribed": True}
    await fake.start()
    yield fake
    with suppress(Exception):
        await fake.stop()


class Node:
    """A node with a reader, seen through its read model."""

    def __init__(self, w: Wiring, gateway: FakeGateway) -> None:
        self.w = w
        self.requests = RefreshRequests(w.redis)
        self._gateway = gateway
        self._mirrors: list[asyncio.Task[None]] = []

    def start(self) -> Mirror:
        mirror = Mirror(self.w)
        mirror._link._where = self._where  # the fake gateway is no process of its own
        self._mirrors.append(asyncio.create_task(mirror.run_forever()))
        return mirror

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        file = self.w.host.device_file
        if self._gateway._server is None:
            raise GatewayUnreachableError("No gateway listens on its port.")
        return self._gateway.port, TOKEN, await asyncio.to_thread(load_device, file)

    async def end(self) -> None:
        for task in self._mirrors:
            task.cancel()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*self._mirrors, return_exceptions=True)
        self._mirrors = []

    async def head(self, resource: Resource) -> ReadHead | None:
        return await self.w.host.read_model.head(self.w.node, resource)

    async def until(self, resource: Resource, good: Callable[[ReadHead], bool]) -> ReadHead:
        found = await eventually(
            lambda: self.head(resource), lambda head: head is not None and good(head), seconds=SECONDS
        )
        assert found is not None
        return found

    async def until_fresh(self) -> None:
        for resource in (*MIRRORED, Resource.CAPABILITIES):
            await self.until(resource, lambda head: not head.stale)

    async def data(self, resource: Resource) -> Any:
        entry = await self.w.host.read_model.get(self.w.node, resource)
        return None if entry is None else json.loads(entry.data)


@pytest.fixture
async def node(w: Wiring, gateway: FakeGateway) -> AsyncIterator[Node]:
    found = Node(w, gateway)
    yield found
    await found.end()


async def test_a_reader_publishes_every_list_and_says_that_it_is_connected(node: Node) -> None:
    node.start()

    await node.until_fresh()

    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == [
        "main",
        "bot_1",
        "bot_2",
    ]
    assert len(await node.data(Resource.PLUGINS)) == 4
    assert (await node.data(Resource.CAPABILITIES))["connected"] is True
    sources = {resource: (await node.until(resource, lambda _: True)).source for resource in MIRRORED}
    assert sources[Resource.SKILLS] == "rpc"
    assert sources[Resource.CHAT] == "file"


async def test_a_gateway_that_goes_makes_the_lists_stale_and_one_that_comes_makes_them_fresh(
    node: Node, gateway: FakeGateway
) -> None:
    node.start()
    await node.until_fresh()

    await gateway.crash()
    await node.until(Resource.SKILLS, lambda head: head.stale)
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}
    await gateway.start()
    await node.until_fresh()

    assert await node.data(Resource.SKILLS) == [{"name": "new"}]


async def test_nobody_is_connected_to_wechat_through_a_gateway_that_is_gone(
    node: Node, gateway: FakeGateway
) -> None:
    folder = node.w.host.gateway_settings.config_dir / PLUGIN
    await asyncio.to_thread(folder.mkdir, parents=True)
    await asyncio.to_thread((folder / "accounts.json").write_text, '["one-im-bot"]')
    running = {"accountId": "one-im-bot", "running": True}
    gateway.methods["channels.status"] = {"channelAccounts": {PLUGIN: [running]}}
    node.start()
    await node.until_fresh()

    async def how_it_does() -> list[tuple[str, bool]]:
        accounts = (await node.data(Resource.WECHAT))["accounts"]
        return [(account["state"], account["running"]) for account in accounts]

    assert await how_it_does() == [("connected", True)]
    await gateway.crash()
    await eventually(how_it_does, lambda found: found == [("unknown", False)], seconds=SECONDS)
    assert (await node.until(Resource.WECHAT, lambda _: True)).stale

    await gateway.start()
    await eventually(how_it_does, lambda found: found == [("connected", True)], seconds=SECONDS)


async def test_a_list_that_takes_minutes_is_stale_for_so_long_and_holds_up_no_other(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READ_SECONDS", 0.1)
    node.start()
    await node.until_fresh()

    await gateway.crash()
    await node.until(Resource.SKILLS, lambda head: head.stale)
    answer, gateway.methods["sessions.list"] = gateway.methods["sessions.list"], NO_ANSWER
    await gateway.start()
    await node.until(Resource.SKILLS, lambda head: not head.stale)
    sessions = await node.head(Resource.SESSIONS)

    assert sessions is not None
    assert (sessions.stale, sessions.linked) == (True, True)
    await gateway.crash()
    gateway.methods["sessions.list"] = answer
    await gateway.start()
    await node.until_fresh()


@dataclass
class HangingCommands:
    """A command line that does not come back."""

    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def json(self, *_command: str, options: Mapping[str, str] | None = None) -> Any:
        del options
        self.began.set()
        await asyncio.Event().wait()

    async def is_old(self) -> bool:
        return False


async def test_a_command_that_runs_holds_up_no_other_list_when_the_gateway_comes_or_goes(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_READ_SECONDS", 3 * SECONDS)
    await gateway.stop()
    mirror, commands = node.start(), HangingCommands()
    monkeypatch.setattr(mirror._refresher, "_commands", commands)
    await node.until(Resource.CAPABILITIES, lambda _: True)
    asking = asyncio.create_task(node.requests.ask("local", resources=["skills"], seconds=6 * SECONDS))
    async with asyncio.timeout(SECONDS):
        await commands.began.wait()

    for _ in range(2):
        await gateway.start()
        await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)
        await gateway.crash()
        await node.until(Resource.BOTS_MODELS, lambda head: head.stale)

    asking.cancel()


async def test_an_event_has_its_lists_read_again(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}
    before = await node.until(Resource.SKILLS, lambda _: True)

    await gateway.push("skills.changed", {})

    await node.until(Resource.SKILLS, lambda head: head.etag != before.etag and not head.stale)


async def test_an_edit_of_the_config_is_seen_without_anybody_asking(node: Node) -> None:
    node.start()
    await node.until_fresh()
    file: Path = node.w.host.gateway_settings.config_file
    config = json.loads(await asyncio.to_thread(file.read_text))
    config["gateway"]["http"] = {"endpoints": {"chatCompletions": {"enabled": True}}}

    await asyncio.to_thread(file.write_text, json.dumps(config))

    await eventually(
        lambda: node.data(Resource.CHAT), lambda data: data == {"enabled": True}, seconds=SECONDS
    )


def agents(*names: str) -> dict[str, Any]:
    return {"defaultId": "main", "agents": [{"id": name, "workspace": f"/w/{name}"} for name in names]}


async def edit(node: Node, **changes: Any) -> None:
    file = node.w.host.gateway_settings.config_file
    config = json.loads(await asyncio.to_thread(file.read_text))
    await asyncio.to_thread(file.write_text, json.dumps(config | changes))


async def test_who_asks_after_an_edit_gets_what_the_gateway_says_once_it_has_it(
    node: Node, gateway: FakeGateway
) -> None:
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    asking = asyncio.create_task(node.requests.ask("local", resources=["bots-models"], seconds=SECONDS))
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    before = await node.until(Resource.BOTS_MODELS, lambda _: True)
    read = await node.until(Resource.BOTS_MODELS, lambda head: head.updated_at > before.updated_at)
    assert read.doubtful  # it is what the gateway says, and the gateway is as before the edit
    assert not asking.done()
    gateway.methods["agents.list"] = agents("main", "late")
    await gateway.push("config.changed", {"path": "openclaw.json", "hash": "1"})

    assert await asking is not None
    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == ["main", "late"]
    await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)


async def test_a_file_of_a_bot_that_was_just_added_is_found(
    node: Node, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "SOUL.md").write_text("我是谁")
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    asking = asyncio.create_task(node.requests.ask("local", bot="late", file="SOUL.md", seconds=SECONDS))
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    listed = agents("main", "late")
    listed["agents"][1]["workspace"] = str(tmp_path / "late")
    gateway.methods["agents.list"] = listed
    await gateway.push("config.changed", {"path": "openclaw.json", "hash": "1"})

    answer = await asking
    assert answer is not None
    assert answer.data["content"] == "我是谁"


async def test_a_gateway_that_tells_of_no_edit_has_its_time_and_is_read_then(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELLS_SECONDS", 0.5)
    gateway.methods["agents.list"] = agents("main")
    node.start()
    await node.until_fresh()

    await edit(node, ui={"seamColor": "#fff"})
    await node.until(Resource.BOTS_MODELS, lambda head: head.doubtful)
    gateway.methods["agents.list"] = agents("main", "late")

    await node.until(Resource.BOTS_MODELS, lambda head: not head.stale)
    assert [bot["id"] for bot in (await node.data(Resource.BOTS_MODELS))["bots"]] == ["main", "late"]


async def test_what_cannot_be_read_again_is_stale_and_the_asker_learns_of_it(
    node: Node, gateway: FakeGateway
) -> None:
    node.start()
    await node.until_fresh()
    gateway.methods["plugins.list"] = Refusal("UNAVAILABLE", "not now")

    answer = await node.requests.ask("local", resources=["plugins", "models-config"], seconds=SECONDS)

    assert answer is not None
    assert answer.data["failed"] == ["plugins"]
    assert "not now" in answer.data["reasons"]["plugins"]
    assert (await node.until(Resource.PLUGINS, lambda head: head.doubtful)).stale


async def test_who_asks_for_capabilities_gets_new_ones(node: Node) -> None:
    node.start()
    await node.until_fresh()
    before = await node.until(Resource.CAPABILITIES, lambda _: True)

    await node.requests.ask("local", resources=["capabilities"], seconds=SECONDS)

    assert (await node.until(Resource.CAPABILITIES, lambda _: True)).updated_at > before.updated_at


async def test_who_only_tells_costs_no_more_than_one_reading(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    while not gateway.calls.empty():
        gateway.calls.get_nowait()

    for _ in range(20):
        await node.requests.tell("local", ["skills"])
    before = await node.until(Resource.SKILLS, lambda _: True)
    await node.until(Resource.SKILLS, lambda head: head.updated_at > before.updated_at)

    calls = [gateway.calls.get_nowait()[0] for _ in range(gateway.calls.qsize())]
    assert calls.count("skills.status") <= 2


async def test_a_broker_that_forgets_is_filled_again(node: Node) -> None:
    node.start()
    await node.until_fresh()

    await node.w.redis.flushall()

    await node.until_fresh()


async def test_a_broker_that_has_only_what_was_read_since_is_filled_again(node: Node) -> None:
    node.start()
    await node.until_fresh()
    (key,) = [key async for key in node.w.redis.scan_iter(match="buddy:*:read")]

    await node.w.redis.hdel(
        key, *(f"{name}{part}" for name in ("skills", "plugins") for part in ("", ":data"))
    )

    await node.until_fresh()


async def test_only_one_of_two_reads_and_the_other_takes_over(node: Node, gateway: FakeGateway) -> None:
    node.start()
    await node.until_fresh()
    other = Node(node.w, gateway)
    other.start()
    assert len(gateway.sockets) == 1

    await node.end()
    await other.until_fresh()

    assert len(gateway.connects) == 2
    await other.end()


async def test_a_reader_that_ends_says_so_and_leaves_nothing_behind(node: Node) -> None:
    node.start()
    await node.until_fresh()

    await node.end()

    head = await node.head(Resource.SKILLS)
    assert head is not None
    assert head.stale
    assert await asyncio.to_thread(node.w.host.locks.are_free, {NodeLock.READER})


async def test_a_reader_that_crashes_begins_again_and_goes_on_reading(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = node.start()
    await node.until_fresh()
    crashed = asyncio.Event()
    real = mirror._catch_up

    async def crash_once() -> None:
        monkeypatch.setattr(mirror, "_catch_up", real)
        mirror._plan(READS)  # they are planned, and will never be read
        crashed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(mirror, "_catch_up", crash_once)
    async with asyncio.timeout(SECONDS):
        await crashed.wait()
    gateway.methods["skills.status"] = {"skills": [{"name": "new"}]}

    await eventually(
        lambda: node.data(Resource.SKILLS), lambda data: data == [{"name": "new"}], seconds=SECONDS
    )
    await node.until_fresh()
    gateway.methods["skills.status"] = {"skills": [{"name": "newer"}]}
    await gateway.push("skills.changed", {})
    await eventually(
        lambda: node.data(Resource.SKILLS), lambda data: data == [{"name": "newer"}], seconds=SECONDS
    )


async def test_a_loop_of_the_reader_that_ends_as_cancelled_is_a_crash_and_begins_again(
    node: Node, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = node.start()
    await node.until_fresh()
    real = mirror._catch_up

    async def await_what_was_cancelled() -> None:
        monkeypatch.setattr(mirror, "_catch_up", real)
        cancelled = asyncio.ensure_future(asyncio.Event().wait())
        cancelled.cancel()
        await cancelled

    connects = len(gateway.connects)
    monkeypatch.setattr(mirror, "_catch_up", await_what_was_cancelled)

    await eventually(lambda: asyncio.sleep(0, len(gateway.connects)), lambda n: n > connects, seconds=SECONDS)
    await node.until_fresh()


@pytest.mark.parametrize("is_up", [True, False], ids=["with a gateway", "without one"])
async def test_a_config_that_is_broken_when_the_reader_starts_leaves_what_was_published(
    node: Node, gateway: FakeGateway, tmp_path: Path, *, is_up: bool
) -> None:
    read_model, workspace = node.w.host.read_model, tmp_path / "workspace"
    (workspace).mkdir()
    (workspace / "SOUL.md").write_text("我是谁")
    before = {
        Resource.CHAT: {"enabled": True},
        Resource.BOTS_MODELS: {"bots": [{"id": "bot_1", "workspace": str(workspace)}], "models": []},
    }
    for resource, value in before.items():
        await read_model.put(
            "local", resource, json.dumps(value), source="rpc", fresh_seconds=99, of_gateway=True
        )
    file = node.w.host.gateway_settings.config_file
    good = await asyncio.to_thread(file.read_text)
    await asyncio.to_thread(file.write_text, "{,}")
    if not is_up:
        await gateway.stop()
    node.start()

    for resource in (Resource.CHAT, Resource.BOTS_MODELS):
        head = await node.until(resource, lambda head: head.doubtful and head.linked is is_up)
        assert head.stale
        assert await node.data(resource) == before[resource]
    answer = await node.requests.ask("local", resources=["models-config"], seconds=SECONDS)
    assert answer is not None
    assert answer.data["failed"] == ["models-config"]
    assert str(file) in answer.data["reasons"]["models-config"]
    assert await node.head(Resource.MODELS_CONFIG) is None
    soul = await node.requests.ask("local", bot="bot_1", file="SOUL.md", seconds=SECONDS)
    assert soul is not None
    assert soul.data["content"] == "我是谁"

    await node.w.redis.flushall()
    unknown = await node.requests.ask("local", bot="bot_1", file="SOUL.md", seconds=SECONDS)
    assert unknown is not None
    assert unknown.error == "not_reported"
    assert str(file) in unknown.message
    await asyncio.to_thread(file.write_text, good)
    await node.until(Resource.CHAT, lambda head: not head.doubtful)


@pytest.mark.parametrize("bot", ["main", "ghost"])
async def test_a_file_is_read_for_whoever_asks(
    node: Node, bot: str, tmp_path: Path, gateway: FakeGateway
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "SOUL.md").write_text("我是谁")
    for agent in gateway.methods["agents.list"]["agents"]:
        agent["workspace"] = str(workspace)
    node.start()
    await node.until_fresh()

    answer = await node.requests.ask("local", bot=bot, file="SOUL.md", seconds=SECONDS)

    assert answer is not None
    if bot == "main":
        assert answer.data["content"] == "我是谁"
    else:
        assert answer.error == "unknown_bot"


async def test_backups_are_told_to_whoever_asks(node: Node) -> None:
    made = await asyncio.to_thread(node.w.host.history.add, b"{}", {}, reason=BackupReason.MANUAL)
    node.start()

    listed = await node.requests.ask("local", backups=BackupQuestion(), seconds=SECONDS)
    unknown = await node.requests.ask(
        "local", backups=BackupQuestion(name=made.name, against="x"), seconds=SECONDS
    )

    assert listed is not None
    assert [row["name"] for row in listed.data["backups"]] == [made.name]
    assert listed.data["current"]["size"] > 0
    assert unknown is not None
    assert (unknown.error, unknown.data) == ("unknown_backup", {"backup": "x"})
