"""Changes of a real `openclaw.json`: asked for through the API, and compared leaf by leaf."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buddy_common.config_diff import show_path
from openclaw_system import System
from real_openclaw import Generation

KEY = "sk-planted-secret-1234567890"
SECOND: dict[str, Any] = {
    "provider": "second",
    "baseUrl": "http://127.0.0.1:1/v1",
    "apiKey": KEY,
    "api": "openai-completions",
    "models": [{"id": "org/deep-1", "name": "Deep"}],
}
TOUCHED_BY_OPENCLAW = {"meta", "commands"}  # what its own writers add
_Path = tuple[str, ...]


def leaves(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Return every value that is no object by its path; rows with ids count as an object by id."""
    if _has_ids(value):
        value = {row["id"]: row for row in value}
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, item in value.items():
        yield from leaves(item, (*path, str(key)))


def changed_paths(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the paths of the values that are not the same, without those that OpenClaw itself writes."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return {
        show_path(path)
        for path in old.keys() | new.keys()
        if path[0] not in TOUCHED_BY_OPENCLAW
        # an object that gets its first key, or loses its last, has not changed itself
        and not (path in old and path in new and _same(old[path], new[path]))
        and not (old.get(path) == {} and _is_above(path, new))
        and not (new.get(path) == {} and _is_above(path, old))
    }


def ids_in_order(config: dict[str, Any]) -> list[str]:
    """Return the bots of the older layout as they stand: the first is the default one."""
    return [row["id"] for row in config.get("agents", {}).get("list", [])]


def is_exactly(changed: set[str], *prefixes: str, may: tuple[str, ...] = ()) -> bool:
    """Whether something has changed at or below each of the paths, and nothing else but what `may`."""
    return all(any(_lies(path, prefix) for path in changed) for prefix in prefixes) and all(
        any(_lies(path, prefix) for prefix in (*prefixes, *may)) for path in changed
    )


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

    def entry(self, bot: str) -> str:
        """Return the path of a bot's entry; in the older layout the id stands for the place of its row."""
        return f"agents.entries.{bot}" if self.is_new else f"agents.list.{bot}"

    def entries(self) -> dict[str, Any]:
        """Return what the file says of each bot."""
        agents = self.config["agents"]
        return dict(agents["entries"] if self.is_new else {row["id"]: row for row in agents["list"]})

    def make(self, path: str, *, method: str = "POST", **body: Any) -> tuple[dict[str, Any], set[str]]:
        """Make a change; return its task as it ended, and the paths of the values that differ in the file."""
        before = self.config
        task = self.ask(path, method=method, **body)
        after = self.config
        left = [bot for bot in ids_in_order(before) if bot in ids_in_order(after)]
        assert ids_in_order(after)[: len(left)] == left, "bots have changed their places"
        return task, changed_paths(before, after)

    def ask(self, path: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
        """Submit a change and wait for its end."""
        answer = self.system.buddy.request(
            method, f"/v1/openclaw/{path}", json=body, headers={"Prefer": "respond-async"}
        )
        assert answer.status_code == 202, answer.text
        return self.system.buddy.finish_task(answer.json()["data"]["taskID"])

    def completed(self, path: str, *, method: str = "POST", **body: Any) -> set[str]:
        """Make a change that works; return the paths of the values that differ in the file."""
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


def borrowed(system: System) -> Iterator[Changer]:
    """Lend a running system; then the file is as it was, and the gateway runs on it."""
    openclaw = system.openclaw
    system.ensure_running()
    before = openclaw.config_file.read_bytes()
    folders = set(openclaw.config_dir.iterdir())
    yield Changer(system)
    system.ensure_stopped()
    forget_last_good(openclaw.config_file)
    openclaw.write(json.loads(before))
    for folder in set(openclaw.config_dir.glob("workspace-*")) - folders:
        shutil.rmtree(folder)
    system.ensure_running()


def forget_last_good(config_file: Path) -> None:
    """Or OpenClaw takes the next test's shorter file for a damaged one, and puts the last one back."""
    for copy in config_file.parent.glob(f"{config_file.name}.*"):
        copy.unlink()


def _has_ids(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return False
    ids = [row.get("id") for row in value]
    return all(isinstance(name, str) for name in ids) and len(set(ids)) == len(ids)


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)


def _is_above(path: _Path, others: dict[_Path, Any]) -> bool:
    return any(other[: len(path)] == path and len(other) > len(path) for other in others)


def _lies(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))
