"""Changes of openclaw.json on the real OpenClaw: what they change and leave, and how they are undone."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters.openclaw_config import agents_of, models_of
from e2e.machine import REAL_READY_SECONDS
from openclaw_changes import KEY, SECOND, Changer, borrowed, is_exactly
from openclaw_system import START_SECONDS, System

pytestmark = pytest.mark.openclaw

CHAT = "gateway.http.endpoints.chatCompletions.enabled"


def prepare(config: dict[str, Any]) -> None:
    """Put in what no change of ours may touch."""
    config["env"] = {"vars": {"STANDIN_NOTE": "kept"}}
    config["models"]["providers"]["standin"]["headers"] = {"X-Note": "${STANDIN_NOTE}"}
    plugins = config.setdefault("plugins", {}).setdefault("entries", {})
    config["agents"]["defaults"]["timeoutSeconds"] = 601
    plugins["llm-task"] = {"enabled": True, "config": {"timeoutMs": 12345}}


@pytest.fixture
def changer(walked_system: System) -> Iterator[Changer]:
    """The file is as it was after the test, and the gateway runs on it."""
    yield from borrowed(walked_system)


def change_everything(changer: Changer, *, is_quick: bool) -> None:
    """Make each change once; each changes exactly what it says, and is read back.

    `is_quick`: OpenClaw's own commands are asked for little, each of them takes seconds.
    """
    kept = kept_by(changer.config)
    change_bots(changer)
    change_models(changer)
    turn_off(changer)
    compare_with_openclaw(changer, is_quick=is_quick)
    turn_on(changer)
    delete_models(changer)
    delete_and_restore(changer)
    ask_models_and_write_files(changer)
    assert kept_by(changer.config) == kept
    assert oct(changer.system.openclaw.config_file.stat().st_mode & 0o777) == "0o600"
    assert KEY not in changer.system.buddy.get("/v1/tasks/status", limit="100").text


def change_bots(changer: Changer) -> None:
    bot, main, lead = (changer.entry(name) for name in ("bot_1", "main", "lead"))
    defaults = "agents.defaults"
    # who was alone so far gets an entry, and the newer generation is told who is meant where none is named
    owned = ("agents.ownership", f"{defaults}.systemAgent", f"{defaults}.heartbeat", "talk.agentId")
    beside = (f"{main}.workspace", *owned) if changer.is_new else (f"{main}.id",)
    noise = () if changer.is_new else (f"{defaults}.compaction",)  # what its writer adds with its first write
    added = changer.completed("bots/add", id="bot_1", name="一号", model="stand-in-1")
    assert is_exactly(added, bot, may=(*beside, *noise)), added
    assert changer.bot("bot_1")["model"] == "standin/stand-in-1"
    assert Path(changer.bot("bot_1")["workspace"]).is_dir()
    looks = changer.completed("bots/set-identity", id="bot_1", name="新名字", emoji="🤖")
    assert looks == {f"{bot}.identity.name", f"{bot}.identity.emoji"}
    assert (changer.bot("bot_1")["name"], changer.bot("bot_1")["emoji"]) == ("新名字", "🤖")
    made = changer.completed("bots/template", expertId="architect", newBotId="lead")
    assert is_exactly(made, lead), made
    assert "软件架构师" in (Path(changer.bot("lead")["workspace"]) / "IDENTITY.md").read_text()


def change_models(changer: Changer) -> None:
    model, provider = f"{changer.entry('bot_1')}.model", "models.providers.second"
    assert is_exactly(changer.completed("models/provider", **SECOND), provider)
    assert changer.completed("models/provider", provider="second", apiKey="sk-…7890") == set()
    assert changer.config["models"]["providers"]["second"]["apiKey"] == KEY
    added = changer.completed("models/provider/model", provider="second", id="b:1", name="B")
    assert added == {f'{provider}.models["b:1"].id', f'{provider}.models["b:1"].name'}
    assert changer.completed("bots/set-model", id="bot_1", model="org/deep-1") == {model}
    assert changer.bot("bot_1")["model"] == "second/org/deep-1"
    assert changer.refused("models/provider/second/model/org/deep-1", method="DELETE") == "in_use"
    assert changer.refused("models/provider/second", method="DELETE") == "in_use"
    removed = changer.completed("models/provider/second/model/b:1", method="DELETE")
    assert removed == added
    assert changer.completed("models/set-default", model="org/deep-1") == {"agents.defaults.model.primary"}


def delete_models(changer: Changer) -> None:
    model = f"{changer.entry('bot_1')}.model"
    assert changer.completed("models/set-default", model="stand-in-1") == {"agents.defaults.model.primary"}
    unknown = {"model": {"primary": "gpt-nothing"}}
    assert changer.refused("bots/update", id="bot_1", config=unknown) == "unknown_model"
    own = {"model": {"primary": "stand-in-1", "fallbacks": ["org/deep-1"]}}
    assert is_exactly(changer.completed("bots/update", id="bot_1", config=own), model)
    assert changer.entries()["bot_1"]["model"] == {
        "primary": "standin/stand-in-1",
        "fallbacks": ["second/org/deep-1"],
    }
    assert changer.refused("models/provider/second", method="DELETE") == "in_use"
    left = changer.completed("bots/update", id="bot_1", config={"model": {"fallbacks": None}})
    assert left == {f"{model}.fallbacks"}
    gone = changer.completed("models/provider/second", method="DELETE")
    assert is_exactly(gone, "models.providers.second"), gone


def turn_off(changer: Changer) -> None:
    assert changer.completed("chat/enable", enabled=False) == {CHAT}
    assert changer.completed("plugins/disable", id="telegram") == {"plugins.entries.telegram.enabled"}


def turn_on(changer: Changer) -> None:
    assert changer.completed("chat/enable") == {CHAT}


def compare_with_openclaw(changer: Changer, *, is_quick: bool) -> None:
    """Check what OpenClaw itself says of the bots, providers, models and switches at this point."""
    ask = changer.system.openclaw.ask
    told = {row["id"]: row for row in ask("agents", "list")}
    assert set(told) == {agent.id for agent in agents_of(changer.config)} == {"main", "bot_1", "lead"}
    assert told["bot_1"]["model"] == "second/org/deep-1"
    assert told["bot_1"]["identityName"] == "新名字"
    providers = ask("config", "get", "models.providers")
    assert set(providers) == {"standin", "second"}
    assert providers["second"]["baseUrl"] == SECOND["baseUrl"]
    assert [row["id"] for row in providers["second"]["models"]] == ["org/deep-1"]
    plugins = ask("config", "get", "plugins.entries")
    assert (plugins["telegram"]["enabled"], plugins["llm-task"]["enabled"]) == (False, True)
    assert plugins["llm-task"]["config"]["timeoutMs"] == 12345
    if is_quick:
        return
    assert ask("config", "get", "agents.defaults.model")["primary"] == "second/org/deep-1"
    assert ask("config", "get", "gateway.http.endpoints")["chatCompletions"]["enabled"] is False
    defaults = [row["key"] for row in ask("models", "list")["models"] if "default" in row["tags"]]
    assert defaults == ["second/org/deep-1"]


def delete_and_restore(changer: Changer) -> None:
    workspace, entry = Path(changer.bot("lead")["workspace"]), changer.entries()["lead"]
    gone = changer.completed("bots/delete", id="lead")
    assert is_exactly(gone, changer.entry("lead")), gone
    assert not changer.bot("lead")
    assert not workspace.exists()
    back = changer.completed("bots/restore", id="lead")
    assert back == gone
    assert changer.entries()["lead"] == entry
    assert "软件架构师" in (workspace / "IDENTITY.md").read_text()


def ask_models_and_write_files(changer: Changer) -> None:
    """Make the calls that leave openclaw.json alone."""
    soul, text = Path(changer.bot("lead")["workspace"]) / "SOUL.md", "# 灵魂\n\n安静地工作。\n"
    before, buddy = changer.system.openclaw.config_file.read_bytes(), changer.system.buddy
    task, changed = changer.make("bots/file", id="lead", content=text)
    assert (task["status"], changed) == ("Completed", set()), task
    assert soul.read_text() == text
    read = buddy.get("/v1/openclaw/bots/file", id="lead")
    assert read.json()["data"]["content"] == text
    seen = {"If-Match": read.headers["ETag"]}
    soul.write_text("by somebody else")
    body = {"id": "lead", "content": "by a client that has not seen it"}
    late = buddy.request("POST", "/v1/openclaw/bots/file", json=body, headers=seen)
    assert late.status_code == 412, late.text
    assert soul.read_text() == "by somebody else"

    asked = changer.system.provider.requests
    task = changer.ask("models/test-direct", providerName="standin", modelId="stand-in-1")
    assert (task["status"], task["result"]["status"]) == ("Completed", "success"), task
    assert changer.system.provider.requests == asked + 1
    body = {"providerName": "standin", "modelId": "nothing"}
    assert changer.refused("models/test-direct", **body) == "no_such_model"
    assert changer.system.openclaw.config_file.read_bytes() == before


def kept_by(config: dict[str, Any]) -> list[Any]:
    """Return what no change of ours may touch."""
    return [
        config["env"],
        config["agents"]["defaults"]["timeoutSeconds"],
        config["models"]["providers"]["standin"],
        config["plugins"]["entries"]["llm-task"],
        config["gateway"]["auth"],
        config["gateway"]["port"],
        config["logging"],
    ]


def test_every_change_changes_what_it_says_while_the_gateway_runs(changer: Changer) -> None:
    changer.system.openclaw.edit(prepare)
    changer.system.run("restart")  # the older generation does so by itself, and misses an edit in that moment
    pid = changer.system.ensure_running()

    change_everything(changer, is_quick=changer.is_new)

    assert changer.system.gateway_pids() == [pid], "no change needs a new process"
    assert changer.system.is_ready()


@pytest.mark.faults
def test_every_change_changes_what_it_says_while_no_gateway_runs(changer: Changer) -> None:
    changer.system.ensure_stopped()
    changer.system.openclaw.edit(prepare)

    change_everything(changer, is_quick=False)

    assert changer.system.gateway_pids() == []
    changer.system.ensure_running()


@pytest.mark.faults
def test_a_bot_of_the_older_layout_is_deleted_while_the_gateway_runs(changer: Changer) -> None:
    def list_two(config: dict[str, Any]) -> None:
        config["agents"] = {
            "defaults": config["agents"]["defaults"],
            "list": [{"id": "main", "default": True}, {"id": "bot_1", "name": "一号"}],
        }

    changer.system.ensure_stopped()
    changer.system.openclaw.edit(list_two)
    changer.system.ensure_running()

    changed = changer.completed("bots/delete", id="bot_1")

    # the newer generation writes the other layout with it, and who is meant where none is named
    assert {path.partition(".")[0] for path in changed} <= {"agents", "talk"}
    assert [agent.id for agent in agents_of(changer.config)] == ["main"]
    assert [row["id"] for row in changer.system.openclaw.ask("agents", "list")] == ["main"]


def test_what_openclaw_refuses_is_not_written(changer: Changer) -> None:
    assert changer.refused("bots/update", id="main", config={"nope": 1}) == "config_rejected"
    assert changer.refused("models/provider", provider="third", apiKey="sk-1") == "config_rejected"
    assert changer.refused("plugins/enable", id="ghost") == "unknown_plugin"
    assert changer.refused("bots/set-model", id="main", model="gpt-nothing") == "unknown_model"
    assert changer.refused("bots/set-identity", id="ghost", name="X") == "unknown_bot"
    assert changer.refused("bots/delete", id="main") == "protected_bot"
    changer.system.openclaw.config_file.write_bytes(b"{ broken")
    assert changer.refused("models/set-default", model="stand-in-1") == "config_unreadable"


def test_a_change_that_the_gateway_cannot_live_with_is_undone(older_system: System) -> None:
    """A reference to a variable that is not set is valid, and yet the older generation cannot load it."""
    changer = Changer(older_system)
    pid, before = older_system.ensure_running(), older_system.openclaw.config_file.read_bytes()

    task = changer.ask("models/provider", **SECOND | {"apiKey": "${NO_SUCH_VARIABLE}"})

    assert (task["status"], task["errorCode"]) == ("Failed", "config_undone")
    assert "NO_SUCH_VARIABLE" in task["error"]
    assert older_system.openclaw.config_file.read_bytes() == before
    assert older_system.ensure_running() == pid
    events = older_system.buddy.get("/v1/system/events", limit="100").json()["data"]
    (event,) = [event for event in events if event["taskID"] == task["id"]]
    assert event["status"] == "failed"
    assert "NO_SUCH_VARIABLE" in event["detail"]


def test_a_key_in_an_included_file_is_changed_there(changer: Changer) -> None:
    openclaw = changer.system.openclaw
    part = openclaw.config_dir / "models.json5"
    models = openclaw.config["models"]
    part.write_text("// mine\n" + json.dumps(models))
    openclaw.edit(lambda config: config.update(models={"$include": "./models.json5"}))

    task = changer.ask("models/provider", **SECOND)

    assert task["status"] == "Completed", task["error"]
    assert task["result"]["commentsLost"] is True
    assert changer.config["models"] == {"$include": "./models.json5"}
    assert {entry.provider for entry in models_of({"models": json.loads(part.read_text())})} == {
        "standin",
        "second",
    }


@pytest.mark.faults
def test_a_worker_that_is_killed_leaves_the_old_file_or_the_new(changer: Changer) -> None:
    system = changer.system
    system.ensure_stopped()
    before = system.openclaw.config_file.read_bytes()
    answer = system.buddy.request(
        "POST", "/v1/openclaw/models/provider", json=SECOND, headers={"Prefer": "respond-async"}
    )
    task_id = answer.json()["data"]["taskID"]
    system.buddy.until(
        lambda: (
            "validate" in str(system.buddy.get("/v1/tasks/status", taskId=task_id).json()["data"]["command"])
        ),
        what="the change is judged",
        seconds=REAL_READY_SECONDS,
    )
    worker = next(
        process
        for process in system.buddy.machine.services()
        if "buddy_worker" in process.cmdline() and "fast" in process.cmdline()
    )

    os.kill(worker.pid, signal.SIGKILL)

    psutil.wait_procs([worker], timeout=START_SECONDS)
    task = system.buddy.finish_task(task_id)
    assert task["status"] == "Interrupted"
    assert system.openclaw.config_file.read_bytes() == before
    changed = changer.completed("models/provider", **SECOND)
    assert {key.startswith("models.providers.second.") for key in changed} == {True}
