"""Every list against what the gateway itself says, on both generations: alive, dead and back again."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from buddy_common.adapters.transcripts import TranscriptCounter
from contract.guide import guide_routes, misfits
from fakes.npm_registry import PLUGIN_ID, PLUGIN_VERSION
from openclaw_system import System
from real_openclaw import Generation
from rich_system import CHATS, LISTS, SECRETS, Rich, add_bots_and_a_provider

pytestmark = pytest.mark.openclaw

AGE = frozenset({"updated_at", "source", "stale", "age_ms"})
PLUGIN = "@tencent-weixin/openclaw-weixin@2.4.9"


@pytest.fixture(
    scope="module", params=[Generation.NEW, pytest.param(Generation.OLD, marks=pytest.mark.faults)], ids=str
)
def rich(request: pytest.FixtureRequest) -> Iterator[Rich]:
    name = "system" if request.param is Generation.NEW else "older_system"
    system: System = request.getfixturevalue(name)
    found = Rich(system)
    system.ensure_running()
    with system.openclaw.edited(lambda config: add_bots_and_a_provider(config, new=found.is_new)):
        found.until(lambda: len(found.ask("agents.list")["agents"]) == 3, what="the gateway has three bots")
        already = {
            row["id"]: row["messages"]
            for row in found.rows("/v1/openclaw/bots/top", limit="99", refresh="true")
        }
        for bot, users in CHATS.items():
            for user in users:
                found.chat(bot, user)
        found.asked = {bot: found.asked[bot] + already.get(bot, 0) for bot in found.asked}
        keys = {f"agent:{bot}:openai-user:{user}" for bot, users in CHATS.items() for user in users}
        found.until(
            lambda: keys <= {row["key"] for row in found.rows("/v1/openclaw/sessions")},
            what="the sessions are listed",
        )
        found.until_fresh()
        yield found
    system.ensure_running()


def test_bots_are_those_of_the_gateway(rich: Rich) -> None:
    listed = rich.ask("agents.list")
    bots = {bot["id"]: bot for bot in rich.get("/v1/openclaw/bots-models")["data"]["bots"]}

    assert list(bots) == [agent["id"] for agent in listed["agents"]]
    for agent in listed["agents"]:
        bot = bots[agent["id"]]
        assert bot["identity"] == agent.get("identity", {})
        assert bot["agentName"] == agent.get("name")
        assert bot["isDefault"] is (agent["id"] == listed["defaultId"])
        assert bot["workspace"] == rich.ask("agents.files.list", agentId=agent["id"])["workspace"]
        if "model" in agent:
            assert bot["model"] == agent["model"]["primary"]
    assert (bots["bot_1"]["name"], bots["bot_1"]["emoji"]) == ("一号", "🤖")
    assert bots["bot_2"]["model"] == "second/org/deep-1"


def test_models_are_those_that_the_gateway_can_use(rich: Rich) -> None:
    def catalogue_now() -> dict[str, Any]:
        answer = rich.ask("models.list", **({"agentId": "main"} if rich.is_new else {}))
        return {f"{row['provider']}/{row['id']}": row for row in answer["models"]}

    def is_whole() -> bool:
        """The older one has a new provider's models with figures of its own at first."""
        return bool(catalogue_now().get("second/org/deep-1", {}).get("contextWindow", 32000) == 32000)

    rich.until(is_whole, what="a catalogue with the figures of the config")
    catalogue = catalogue_now()
    models = {model["id"]: model for model in rich.get("/v1/openclaw/bots-models")["data"]["models"]}

    assert set(models) == {"standin/stand-in-1", "second/org/deep-1"}
    assert "standin/stand-in-1" in catalogue
    if rich.is_new:
        assert set(models) == set(catalogue)
    for name in set(models) & set(catalogue):  # the older one takes a new provider in at its next start
        said, model = catalogue[name], models[name]
        assert {key: model[key] for key in ("name", "contextWindow", "provider")} == {
            key: said[key] for key in ("name", "contextWindow", "provider")
        }
        assert model["input"] == said.get("input", ["text"])
    assert (models["second/org/deep-1"]["name"], models["second/org/deep-1"]["contextWindow"]) == (
        "Deep",
        32000,
    )
    assert [name for name, model in models.items() if model["isDefault"]] == ["standin/stand-in-1"]


def test_skills_are_those_of_the_gateway_field_by_field(rich: Rich) -> None:
    rows = rich.rows("/v1/openclaw/skills", refresh="true")

    assert rows == rich.ask("skills.status", agentId="main")["skills"]
    assert len(rows) > 30


def test_plugins_are_those_of_openclaw_field_by_field(rich: Rich) -> None:
    said = rich.ask("plugins.list") if rich.is_new else rich.system.openclaw.ask("plugins", "list")
    rows = {row["id"]: row for row in rich.rows("/v1/openclaw/plugins", refresh="true")}

    assert list(rows) == [plugin["id"] for plugin in said["plugins"]]
    for plugin in said["plugins"]:
        row = rows[plugin["id"]]
        assert {name: plugin[name] for name in row if name in plugin} == {
            name: value for name, value in row.items() if name in plugin
        }
        assert set(plugin) - set(row) <= {"configJsonSchema", "configSchema", "configUiHints"}
        assert row["status"] == plugin.get("status", plugin.get("state"))


def test_sessions_are_those_of_the_gateway_field_by_field(rich: Rich) -> None:
    said = {row["key"]: row for row in rich.ask("sessions.list", limit=1000)["sessions"]}
    data = rich.get("/v1/openclaw/sessions", refresh="true")

    assert {row["key"] for row in data["data"]} == set(said)
    assert data["total"] == len(said)
    for row in data["data"]:
        assert row["agentId"] == row["key"].split(":")[1]
        shown = {name: value for name, value in row.items() if name != "agentId"}
        assert shown == {name: said[row["key"]][name] for name in shown}
    assert {"agent:main:openai-user:alice", "agent:bot_1:openai-user:carol"} <= set(said)
    newest_first = [row["updatedAt"] for row in data["data"]]
    assert newest_first == sorted(newest_first, reverse=True)


def test_the_ranking_counts_the_questions_that_were_really_asked(rich: Rich) -> None:
    ranks = {row["id"]: row for row in rich.rows("/v1/openclaw/bots/top", limit="10", refresh="true")}

    assert {bot: ranks[bot]["messages"] for bot in CHATS} == rich.asked
    assert ranks["bot_2"]["messages"] == 0
    assert ranks["bot_1"]["sessions"] == len(set(CHATS["bot_1"]))
    assert (ranks["bot_1"]["name"], ranks["bot_1"]["emoji"]) == ("一号", "🤖")

    rich.chat("bot_1", "erin")
    rich.until(
        lambda: (
            {row["id"]: row["messages"] for row in rich.rows("/v1/openclaw/bots/top", limit="10")}["bot_1"]
            == rich.asked["bot_1"]
        ),
        what="the new question is counted",
    )


def test_providers_are_those_of_the_config_and_no_secret_is_shown(rich: Rich) -> None:
    parsed = rich.ask("config.get")["parsed"]["models"]["providers"]
    data = rich.get("/v1/openclaw/models/config")["data"]

    shown = {provider["name"]: provider for provider in data["providers"]}
    assert set(shown) == set(parsed)
    for name, provider in parsed.items():
        for key, value in provider.items():
            if key != "apiKey":
                assert shown[name][key] == value
    assert shown["second"]["apiKey"] == "sk-…7890"
    assert data["defaultModel"] == "standin/stand-in-1"


def test_no_secret_is_in_any_answer_nor_in_the_broker(rich: Rich) -> None:
    answers = "".join(rich.system.buddy.get(path).text for path in LISTS)
    with redis.Redis.from_url(rich.system.buddy.machine.broker_url, decode_responses=True) as client:
        answers += json.dumps(client.hgetall("buddy:local:read"))

    assert [secret for secret in [*SECRETS, rich.system.openclaw.token] if secret in answers] == []


def test_a_bots_file_is_the_one_in_its_workspace(rich: Rich) -> None:
    said = rich.ask("agents.files.get", agentId="bot_1", name="SOUL.md")["file"]
    answer = rich.system.buddy.get("/v1/openclaw/bots/file", id="bot_1")
    file = answer.json()["data"]

    assert file["content"] == said["content"] == Path(said["path"]).read_text()
    assert answer.headers["ETag"]
    missing = rich.system.buddy.get("/v1/openclaw/bots/file", id="bot_1", filename="nothing.md")
    assert (missing.status_code, missing.json()["data"]["error"]) == (404, "unknown_file")
    unknown = rich.system.buddy.get("/v1/openclaw/bots/file", id="ghost")
    assert (unknown.status_code, unknown.json()["data"]["error"]) == (404, "unknown_bot")


def test_capabilities_tell_the_way_of_each_list(rich: Rich) -> None:
    data = rich.get("/v1/capabilities")
    ways = {row["route"]: row["way"] for row in data["routes"]}

    assert data["version"] == rich.system.openclaw.found.version
    assert (data["connected"], data["protocol"]) == (True, 4 if rich.is_new else 3)
    assert ways["GET /v1/openclaw/plugins"] == ("rpc" if rich.is_new else "cli")
    assert ways["GET /v1/openclaw/sessions"] == "rpc"
    assert ways["GET /v1/openclaw/chat/status"] == "file"


@pytest.mark.parametrize(
    "path", ["/v1/openclaw/bots-models", "/v1/openclaw/chat/status", "/v1/openclaw/dashboard-url"]
)
def test_the_guides_examples_fit(path: str, rich: Rich) -> None:
    example = next(route for route in guide_routes() if route.key == f"GET {path}")
    body = rich.system.buddy.get(path).json()

    assert (body["code"], body["message"]) == (200, "success")
    assert misfits(example.data, body["data"]) == []


def test_an_edit_from_outside_is_seen_without_anybody_asking(rich: Rich) -> None:
    def rename(config: dict[str, Any]) -> None:
        agents = config["agents"]
        bot = agents["entries"]["bot_2"] if rich.is_new else agents["list"][2]
        bot["identity"] = {"name": "二号", "emoji": "🦊"}

    def name() -> str:
        return str(rich.get("/v1/openclaw/bots-models")["data"]["bots"][2]["name"])

    assert name() == "bot_2"
    with rich.system.openclaw.edited(rename):
        rich.until(lambda: name() == "二号", what="the new name is seen")
    rich.until(lambda: name() == "bot_2", what="the old name is back")


def test_a_broker_that_forgets_is_filled_again_without_anybody_asking(rich: Rich) -> None:
    before = rich.rows("/v1/openclaw/skills")
    with redis.Redis.from_url(rich.system.buddy.machine.broker_url) as client:
        client.delete("buddy:local:read")

    rich.until_fresh()

    assert rich.rows("/v1/openclaw/skills") == before


def test_reads_change_nothing_of_openclaw(rich: Rich) -> None:
    folder = rich.system.openclaw.config_dir
    allowed = folder / "credentials" / "telegram-allowFrom.json"
    allowed.parent.mkdir(exist_ok=True)
    allowed.write_text('{"version": 1, "allowFrom": ["4711"]}')
    kept = [
        folder / "openclaw.json",
        *folder.rglob("*.md"),
        *folder.glob("credentials/**/*"),
        *folder.glob("agents/*/agent/auth*.json"),
    ]

    def digests() -> dict[Path, str]:
        return {
            file: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in kept
            if file.is_file() and "node_modules" not in file.parts
        }

    before = digests()
    assert len(before) > 5
    assert allowed in before
    for _ in range(20):
        for path in LISTS:
            rich.get(path)
        rich.get("/v1/openclaw/bots/file", id="bot_1")
    rich.get("/v1/openclaw/bots-models", refresh="true")

    assert digests() == before


def test_a_session_that_is_reset_still_counts_for_a_worker_that_starts_anew(rich: Rich) -> None:
    def counted() -> int:
        counter = TranscriptCounter(rich.system.openclaw.config_dir / "agents", keep_days=1)
        return counter.update()["bot_1"].questions.total()

    before = counted()
    rich.chat("bot_1", "grace")
    rich.until(lambda: counted() == before + 1, what="the question is written down")

    rich.ask("sessions.reset", key="agent:bot_1:openai-user:grace")

    assert counted() == before + 1
    rich.chat("bot_1", "grace")
    rich.until(lambda: counted() == before + 2, what="the next question is written down")


@pytest.mark.faults
def test_a_plugin_from_npm_is_listed_by_the_time_its_task_is_completed(system: System) -> None:
    rich = Rich(system)
    system.ensure_running()

    task = system.buddy.finish("/v1/openclaw/plugins/install", spec=PLUGIN)

    assert task["status"] == "Completed", task
    (row,) = rich.rows("/v1/openclaw/plugins", installed="true")
    said = {plugin["id"]: plugin for plugin in rich.ask("plugins.list")["plugins"]}["openclaw-weixin"]
    assert {name: row[name] for name in said} == said
    assert (row["version"], row["enabled"]) == ("2.4.9", True)
    wechat = rich.get("/v1/wechat/config/status")
    assert (wechat["installed"], wechat["enabled"], wechat["pluginVersion"]) == (True, True, "2.4.9")
    assert (wechat["configured"], wechat["accounts"]) == (False, [])


@pytest.mark.faults
def test_a_plugin_is_listed_by_the_time_its_task_is_completed_on_the_older_one_too(
    older_system: System,
) -> None:
    rich = Rich(older_system)
    older_system.ensure_running()

    task = older_system.buddy.finish("/v1/openclaw/plugins/install", spec=f"{PLUGIN_ID}@{PLUGIN_VERSION}")

    assert task["status"] == "Completed", task
    (row,) = rich.rows("/v1/openclaw/plugins", installed="true")
    plugins = rich.system.openclaw.ask("plugins", "list")["plugins"]
    said = next(plugin for plugin in plugins if plugin["id"] == PLUGIN_ID)
    assert {name: row[name] for name in said if name in row} == {
        name: value for name, value in said.items() if name in row
    }
    assert (row["version"], row["enabled"], row["status"]) == (PLUGIN_VERSION, True, "loaded")


def content(data: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without its age; nobody is bound to WeChat here, which would be unknown then."""
    found = {name: value for name, value in data.items() if name not in AGE}
    assert found
    return found


def test_a_dead_gateway_leaves_every_list_and_a_new_one_makes_them_fresh_by_itself(rich: Rich) -> None:
    rich.get("/v1/openclaw/bots/top", refresh="true")  # with what was asked a moment ago
    rich.until_fresh()
    before = {path: rich.get(path) for path in LISTS}
    rich.system.heal(on=False)
    os.kill(rich.system.ensure_running(), signal.SIGKILL)
    rich.until(lambda: rich.get("/v1/openclaw/skills")["stale"] is True, what="the lists are stale")

    seconds = {}
    for path in LISTS:
        began = time.monotonic()
        data = rich.get(path)
        seconds[path] = time.monotonic() - began
        assert data["stale"] is True
        if path != "/v1/capabilities":  # which tells that it is down
            assert content(data) == content(before[path]), path
    rich.until(lambda: rich.get("/v1/capabilities")["connected"] is False, what="it is told that it is down")
    assert max(seconds.values()) < 1

    rich.system.heal(on=True)
    rich.system.ensure_running()
    rich.until_fresh()
    assert rich.rows("/v1/openclaw/skills") == before["/v1/openclaw/skills"]["data"]


def test_an_edit_while_the_gateway_is_down_is_told_from_the_file(rich: Rich) -> None:
    rich.system.ensure_stopped()

    def add(config: dict[str, Any]) -> None:
        if rich.is_new:
            config["agents"]["entries"]["late"] = {}
        else:
            config["agents"]["list"].append({"id": "late"})

    def ids() -> list[str]:
        return [bot["id"] for bot in rich.get("/v1/openclaw/bots-models")["data"]["bots"]]

    with rich.system.openclaw.edited(add):
        rich.until(lambda: "late" in ids(), what="the new bot is seen")
        data = rich.get("/v1/openclaw/bots-models")
    assert (data["source"], data["stale"]) == ("file", True)
    assert {bot["id"]: bot["workspace"] for bot in data["data"]["bots"]}["main"]
    rich.until(lambda: "late" not in ids(), what="it is gone again")
    rich.system.ensure_running()
