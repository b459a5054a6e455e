"""Changes of openclaw.json on the real OpenClaw: what they change and leave, and how they are undone."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from buddy_common.adapters.openclaw_config import agents_of, models_of
from buddy_common.config_diff import changes_between, show_path
from e2e.machine import REAL_READY_SECONDS
from openclaw_system import START_SECONDS, System
from real_openclaw import Generation

pytestmark = pytest.mark.openclaw

KEY = "sk-planted-secret-1234567890"
SECOND: dict[str, Any] = {
    "provider": "second",
    "baseUrl": "http://127.0.0.1:1/v1",
    "apiKey": KEY,
    "api": "openai-completions",
    "models": [{"id": "org/deep-1", "name": "Deep"}],
}
TOUCHED_BY_OPENCLAW = {"meta", "commands"}  # what its own writers add
CLIENTS, CHANGES = 20, 60


@dataclass
class Changer:
    """Makes changes, and says what they have changed in the file."""

    system: System

    @property
    def config(self) -> dict[str, Any]:
        return self.system.openclaw.config

    @property
    def is_new(self) -> bool:
        return self.system.openclaw.generation is Generation.NEW

    def make(self, path: str, *, method: str = "POST", **body: Any) -> tuple[dict[str, Any], set[str]]:
        """Make a change; return its task as it ended, and the paths that differ in the file."""
        before = self.config
        task = self.ask(path, method=method, **body)
        changed = {
            show_path(change.path)
            for change in changes_between(before, self.config)
            if change.path[0] not in TOUCHED_BY_OPENCLAW
        }
        return task, changed

    def ask(self, path: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
        """Submit a change and wait for its end."""
        answer = self.system.buddy.request(
            method, f"/v1/openclaw/{path}", json=body, headers={"Prefer": "respond-async"}
        )
        assert answer.status_code == 202, answer.text
        return self.system.buddy.finish_task(answer.json()["data"]["taskID"])

    def completed(self, path: str, *, method: str = "POST", **body: Any) -> set[str]:
        """Make a change that works; return the paths that differ in the file."""
        task, changed = self.make(path, method=method, **body)
        assert task["status"] == "Completed", task["error"]
        return changed

    def refused(self, path: str, *, method: str = "POST", **body: Any) -> str:
        """Make a change that does not; not a byte of the file may differ."""
        before = self.system.openclaw.config_file.read_bytes()
        task = self.ask(path, method=method, **body)
        assert task["status"] == "Failed", task
        assert self.system.openclaw.config_file.read_bytes() == before
        return str(task["errorCode"])

    def bot(self, bot: str) -> dict[str, Any]:
        """Return a bot as the api lists it."""
        rows = self.system.buddy.get("/v1/openclaw/bots-models").json()["data"]["data"]["bots"]
        return next((row for row in rows if row["id"] == bot), {})


def prepare(config: dict[str, Any]) -> None:
    """Put in what no change of ours may touch."""
    config["env"] = {"vars": {"STANDIN_NOTE": "kept"}}
    config["models"]["providers"]["standin"]["headers"] = {"X-Note": "${STANDIN_NOTE}"}
    plugins = config.setdefault("plugins", {}).setdefault("entries", {})
    plugins["llm-task"] = {"enabled": True, "config": {"timeoutMs": 12345}}


@pytest.fixture
def changer(walked_system: System) -> Iterator[Changer]:
    """The file is as it was after the test, and the gateway runs on it."""
    openclaw = walked_system.openclaw
    walked_system.ensure_running()
    before = openclaw.config_file.read_bytes()
    folders = set(openclaw.config_dir.iterdir())
    yield Changer(walked_system)
    walked_system.ensure_stopped()
    forget_last_good(openclaw.config_file)
    openclaw.write(json.loads(before))
    for folder in set(openclaw.config_dir.glob("workspace-*")) - folders:
        shutil.rmtree(folder)
    walked_system.ensure_running()


def forget_last_good(config_file: Path) -> None:
    """Or OpenClaw takes the next test's shorter file for a damaged one, and puts the last one back."""
    for copy in config_file.parent.glob(f"{config_file.name}.*"):
        copy.unlink()


def change_everything(changer: Changer) -> None:
    """Make each change once; each changes exactly what it says, and is read back."""
    kept = kept_by(changer.config)
    change_bots(changer)
    change_models(changer)
    turn_switches(changer)
    compare_with_openclaw(changer)
    delete_and_restore(changer)
    assert kept_by(changer.config) == kept
    assert oct(changer.system.openclaw.config_file.stat().st_mode & 0o777) == "0o600"
    assert KEY not in changer.system.buddy.get("/v1/tasks/status", limit="100").text


def change_bots(changer: Changer) -> None:
    entry = "agents.entries.bot_1" if changer.is_new else "agents.list"
    added = changer.completed("bots/add", id="bot_1", name="一号", model="stand-in-1")
    assert changer.bot("bot_1")["model"] == "standin/stand-in-1"
    assert Path(changer.bot("bot_1")["workspace"]).is_dir()
    assert all(path.startswith(("agents", "talk")) for path in added), added
    assert starts(changer.completed("bots/set-identity", id="bot_1", name="新名字", emoji="🤖"), entry)
    assert (changer.bot("bot_1")["name"], changer.bot("bot_1")["emoji"]) == ("新名字", "🤖")
    assert starts(changer.completed("bots/template", expertId="architect", newBotId="lead"), "agents")
    assert "软件架构师" in (Path(changer.bot("lead")["workspace"]) / "IDENTITY.md").read_text()


def change_models(changer: Changer) -> None:
    entry = "agents.entries.bot_1" if changer.is_new else "agents.list"
    provider, models = "models.providers.second", "models.providers.second.models"
    assert changer.completed("models/provider", **SECOND) == {provider}
    assert changer.completed("models/provider", provider="second", apiKey="sk-…7890") == set()
    assert changer.config["models"]["providers"]["second"]["apiKey"] == KEY
    assert changer.completed("models/provider/model", provider="second", id="b:1", name="B") == {models}
    assert starts(changer.completed("bots/set-model", id="bot_1", model="org/deep-1"), entry)
    assert changer.bot("bot_1")["model"] == "second/org/deep-1"
    assert changer.refused("models/provider/second/model/org/deep-1", method="DELETE") == "in_use"
    assert changer.refused("models/provider/second", method="DELETE") == "in_use"
    assert changer.completed("models/provider/second/model/b:1", method="DELETE") == {models}
    assert starts(changer.completed("models/set-default", model="org/deep-1"), "agents.defaults.model")
    assert starts(changer.completed("models/set-default", model="stand-in-1"), "agents.defaults.model")
    assert starts(changer.completed("bots/update", id="bot_1", config={"model": "stand-in-1"}), entry)
    assert changer.completed("models/provider/second", method="DELETE") == {provider}


def turn_switches(changer: Changer) -> None:
    chat = "gateway.http.endpoints.chatCompletions.enabled"
    assert changer.completed("chat/enable", enabled=False) == {chat}
    assert changer.completed("chat/enable") == {chat}
    assert starts(changer.completed("plugins/disable", id="telegram"), "plugins.entries.telegram")


def compare_with_openclaw(changer: Changer) -> None:
    told = {row["id"]: row for row in changer.system.openclaw.ask("agents", "list")}
    assert set(told) == {agent.id for agent in agents_of(changer.config)} == {"main", "bot_1", "lead"}
    assert told["bot_1"]["model"] == "standin/stand-in-1"
    assert told["bot_1"]["identityName"] == "新名字"


def delete_and_restore(changer: Changer) -> None:
    workspace = Path(changer.bot("lead")["workspace"])
    assert starts(changer.completed("bots/delete", id="lead"), "agents")
    assert not changer.bot("lead")
    assert not workspace.exists()
    assert starts(changer.completed("bots/restore", id="lead"), "agents")
    assert "软件架构师" in (workspace / "IDENTITY.md").read_text()


def kept_by(config: dict[str, Any]) -> list[Any]:
    """Return what no change of ours may touch."""
    return [
        config["env"],
        config["models"]["providers"]["standin"],
        config["plugins"]["entries"]["llm-task"],
        config["gateway"]["auth"],
        config["gateway"]["port"],
        config["logging"],
    ]


def starts(paths: set[str], prefix: str) -> bool:
    """Whether something has changed, and all of it below this path, or an object on the way to it."""
    return bool(paths) and all(path.startswith(prefix) or prefix.startswith(path) for path in paths)


def test_every_change_changes_what_it_says_while_the_gateway_runs(changer: Changer) -> None:
    changer.system.openclaw.edit(prepare)
    changer.system.run("restart")  # the older generation does so by itself, and misses an edit in that moment
    pid = changer.system.ensure_running()

    change_everything(changer)

    assert changer.system.gateway_pids() == [pid], "no change needs a new process"
    assert changer.system.is_ready()


@pytest.mark.faults
def test_every_change_changes_what_it_says_while_no_gateway_runs(changer: Changer) -> None:
    changer.system.ensure_stopped()
    changer.system.openclaw.edit(prepare)

    change_everything(changer)

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


@contextmanager
def watched(file: Path) -> Iterator[list[str]]:
    """Parse every version of the file that is seen while the block runs; collect those that are broken."""
    broken: list[str] = []
    over = threading.Event()

    def watch() -> None:
        seen = None
        while not over.is_set():
            content = file.read_bytes()
            if content != seen:
                seen = content
                try:
                    json.loads(content)
                except ValueError:
                    broken.append(content.decode(errors="replace"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield broken
    finally:
        over.set()
        thread.join()


@pytest.mark.faults
def test_sixty_changes_at_once_lose_nothing(system: System) -> None:
    changer, buddy = Changer(system), system.buddy
    names = [f"p{number}" for number in range(CHANGES)]
    system.ensure_running()

    def add(name: str) -> httpx.Response:
        body = SECOND | {"provider": name, "models": []}
        return buddy.request("POST", "/v1/openclaw/models/provider", json=body)

    try:
        with watched(system.openclaw.config_file) as broken, ThreadPoolExecutor(CLIENTS) as clients:
            answers = list(clients.map(add, names))
            tasks = [buddy.finish_task(answer.json()["data"]["taskID"]) for answer in answers]
        assert not broken
        assert {answer.status_code for answer in answers} <= {200, 202, 409}
        assert all(task["status"] == "Completed" or task["error"] for task in tasks)
        done = {name for name, task in zip(names, tasks, strict=True) if task["status"] == "Completed"}
        assert done <= set(changer.config["models"]["providers"])
        assert len(done) == CHANGES
    finally:
        system.openclaw.edit(lambda config: [config["models"]["providers"].pop(name, None) for name in names])


@pytest.mark.faults
def test_a_client_that_has_seen_another_file_is_told_what_changed(changer: Changer) -> None:
    buddy = changer.system.buddy
    first = changer.ask("models/provider", **SECOND)["result"]["hash"]
    second = changer.ask("bots/set-identity", id="main", name="主")["result"]["hash"]
    headers = {"If-Match": f'"{first}"'}
    body = {"id": "main", "name": "别的"}

    answer = buddy.request("POST", "/v1/openclaw/bots/set-identity", json=body, headers=headers)
    task = buddy.finish_task(answer.json()["data"]["taskID"])

    assert task["errorCode"] == "config_changed"
    assert task["result"]["hash"] == second
    assert [row["op"] for row in task["result"]["changes"]]
    assert changer.bot("main")["name"] == "主"


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
    assert changer.completed("models/provider", **SECOND) == {"models.providers.second"}
