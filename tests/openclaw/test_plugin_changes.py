"""Plugins of the real OpenClaw, installed, updated and removed, and one release that no gateway survives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fakes.npm_registry import DEADLY, PLUGIN_ID, NpmRegistry
from openclaw_system import System, running_system
from real_openclaw import Generation

# each takes a quarter of a minute and more: OpenClaw's own commands install, and its gateway restarts
pytestmark = [pytest.mark.openclaw, pytest.mark.faults]
PATH = "/v1/openclaw/plugins"


@dataclass
class Plugins:
    """A system, and the registry that its OpenClaw asks."""

    system: System
    registry: NpmRegistry

    def listed(self) -> dict[str, Any] | None:
        """Return the plugin as it is listed, None where it is not installed."""
        rows = self.system.buddy.get(PATH, installed="true", refresh="true").json()["data"]["data"]
        return next((row for row in rows if row["id"] == PLUGIN_ID), None)

    def ask(self, action: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
        """Ask for a change, and return its task as it ended."""
        answer = self.system.buddy.request(method, f"{PATH}/{action}", json=body or None).json()
        return self.system.buddy.finish_task(answer["data"]["taskID"])

    def do(self, action: str, *, method: str = "POST", **body: Any) -> dict[str, Any]:
        """Do the same with one that must succeed."""
        task = self.ask(action, method=method, **body)
        assert task["status"] == "Completed", task
        return task

    def ensure_installed(self) -> str:
        """Install the newest release unless one is there; return its version."""
        if self.listed() is None:
            self.do("install", spec=PLUGIN_ID, force=True)
        row = self.listed()
        assert row is not None
        return str(row["version"])

    @property
    def entry(self) -> Any:
        """What openclaw.json says of the plugin."""
        return self.system.openclaw.config["plugins"]["entries"][PLUGIN_ID]


def running(generation: Generation, factory: pytest.TempPathFactory) -> Iterator[Plugins]:
    registry = NpmRegistry()
    registry.publish("1.0.0")
    try:
        folder = factory.mktemp(f"plugins-{generation}")
        # each change is followed as a task
        environment = {**registry.environment, "BUDDY_WAIT_SECONDS": "1"}
        with running_system(generation, folder, **environment) as system:
            yield Plugins(system, registry)
    finally:
        registry.close()


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugins]:
    yield from running(Generation.NEW, tmp_path_factory)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugins]:
    yield from running(Generation.OLD, tmp_path_factory)


def test_a_plugin_is_installed_and_on_and_can_be_turned_off_and_on(newer: Plugins) -> None:
    task = newer.do("install", spec=PLUGIN_ID, force=True)

    row = newer.listed()
    assert row is not None
    assert (task["result"]["version"], row["version"], row["enabled"]) == ("1.0.0", "1.0.0", True)
    newer.do("disable", id=PLUGIN_ID)
    assert newer.entry["enabled"] is False
    newer.do("enable", id=PLUGIN_ID)
    assert newer.entry["enabled"] is True


def test_a_plugin_is_updated_to_the_newest_release_then_there_is_nothing_to_do(newer: Plugins) -> None:
    before = newer.ensure_installed()
    pid = newer.system.ensure_running()
    newer.registry.publish("1.1.0")

    (row,) = newer.do("update")["result"]["plugins"]

    assert row == {"id": PLUGIN_ID, "before": before, "after": "1.1.0", "status": "updated", "reason": None}
    assert newer.system.gateway_pids() == [pid]


def test_a_release_that_ends_the_gateway_is_rolled_back(newer: Plugins) -> None:
    before = newer.ensure_installed()
    newer.system.ensure_running()
    config = newer.system.openclaw.config_file.read_bytes()
    newer.registry.publish("2.0.0", DEADLY)

    task = newer.ask("update", id=PLUGIN_ID)

    assert (task["status"], task["errorCode"]) == ("Failed", "plugin_not_updated"), task
    (row,) = task["result"]["plugins"]
    assert (row["status"], row["before"], row["after"]) == ("rolled back", before, before)
    assert "this release is broken" in row["reason"]
    assert newer.system.is_ready()
    listed = newer.listed()
    assert listed is not None
    assert (listed["version"], listed["enabled"]) == (before, True)
    assert newer.system.openclaw.config_file.read_bytes() == config


def test_plugins_are_loaded_anew_without_a_restart(newer: Plugins) -> None:
    newer.ensure_installed()
    pid = newer.system.ensure_running()

    task = newer.do("reload", id=PLUGIN_ID)

    assert task["result"] == {"how": "reload", "plugins": [PLUGIN_ID]}
    assert newer.system.gateway_pids() == [pid]


def test_a_removed_plugin_is_not_listed_and_on_again_when_it_is_installed_again(newer: Plugins) -> None:
    newer.ensure_installed()

    newer.do(PLUGIN_ID, method="DELETE")

    assert newer.listed() is None
    newer.registry.publish("3.0.0")
    newer.do("install", spec=PLUGIN_ID, force=True)
    assert newer.entry["enabled"] is True  # OpenClaw itself would leave it off


def test_the_older_one_installs_updates_and_removes_a_plugin(older: Plugins) -> None:
    older.do("install", spec=PLUGIN_ID)
    assert older.ensure_installed() == "1.0.0"
    assert older.entry["enabled"] is True
    older.registry.publish("1.1.0")

    (row,) = older.do("update")["result"]["plugins"]

    assert (row["status"], row["before"], row["after"]) == ("updated", "1.0.0", "1.1.0")
    assert older.system.is_ready()
    older.do(PLUGIN_ID, method="DELETE")
    assert older.listed() is None
    assert older.system.is_ready()


def test_the_older_one_rolls_back_a_release_that_ends_the_gateway(older: Plugins) -> None:
    before = older.ensure_installed()
    older.system.ensure_running()
    config = older.system.openclaw.config_file.read_bytes()
    older.registry.publish("2.0.0", DEADLY)

    task = older.ask("update", id=PLUGIN_ID)

    assert (task["status"], task["errorCode"]) == ("Failed", "plugin_not_updated"), task
    assert older.system.is_ready()
    listed = older.listed()
    assert listed is not None
    assert (listed["version"], listed["enabled"]) == (before, True)
    assert older.system.openclaw.config_file.read_bytes() == config


@pytest.mark.timeout(900)
@pytest.mark.parametrize("generation", list(Generation), ids=str)
def test_plugins_are_installed_updated_and_removed_while_no_gateway_runs(
    generation: Generation, request: pytest.FixtureRequest
) -> None:
    plugins = request.getfixturevalue("newer" if generation is Generation.NEW else "older")
    assert isinstance(plugins, Plugins)
    system = plugins.system
    if plugins.listed() is not None:
        plugins.do(PLUGIN_ID, method="DELETE")
    system.ensure_stopped()
    try:
        plugins.registry.publish("4.0.0")
        installed = plugins.do("install", spec=PLUGIN_ID, force=True)
        assert installed["result"]["version"] == "4.0.0"
        assert plugins.entry["enabled"] is True
        system.buddy.until(lambda: _version(plugins) == "4.0.0", what="it is listed")
        plugins.registry.publish("4.1.0")
        (row,) = plugins.do("update")["result"]["plugins"]
        assert (row["status"], row["before"], row["after"]) == ("updated", "4.0.0", "4.1.0")
        reload = plugins.ask("reload", id=PLUGIN_ID)
        assert (reload["status"], reload["errorCode"]) == ("Failed", "gateway_not_running"), reload
        plugins.do(PLUGIN_ID, method="DELETE")
        system.buddy.until(lambda: _version(plugins) is None, what="it is not listed any more")
        assert system.gateway_pids() == []
    finally:
        system.ensure_running()
    assert system.is_ready()


def _version(plugins: Plugins) -> str | None:
    row = plugins.listed()
    return None if row is None else str(row["version"])
