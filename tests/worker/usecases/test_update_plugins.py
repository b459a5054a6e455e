"""Plugins are updated one at a time; what the gateway cannot live with is rolled back."""

import asyncio
from typing import Any

import pytest

from buddy_common.errors import DeadlineExceededError, GatewayConfigError, StateUnwritableError
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.usecases import update_plugins
from buddy_worker.usecases.plugin_before import PluginBefore, plugin_before
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, is_old, pid_of_gateway, start, there, update, versions

pytestmark = pytest.mark.timeout(40)  # it starts a gateway


def row(plugin: str, after: str = "1.0", status: str = "unchanged") -> dict[str, str]:
    return {"id": plugin, "before": "1.0", "after": after, "status": status}


async def test_nothing_to_update_is_a_success_that_says_so(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "telegram", bundled=True)

    result = done(await update(w))

    assert result == {"plugins": [], "message": "No plugin is installed that could be updated."}


async def test_all_that_are_installed_are_updated_without_a_gateway(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a", "b")
    fake_openclaw.configure(update_to={"a": "1.1"})

    result = done(await update(w))

    assert result["plugins"] == [
        row("a", "1.1", "updated") | {"reason": None},
        row("b") | {"reason": "b is up to date (1.0)."},
    ]
    assert result["message"] == "Of 2 plugins: 1 updated, 1 unchanged."


async def test_one_that_the_gateway_cannot_live_with_is_rolled_back_and_the_others_go_on(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a", "b")
    fake_openclaw.configure(update_to={"a": "6.6", "b": "1.1"}, deadly=["6.6"])
    config = fake_openclaw.config_file.read_bytes()
    pid = await start(w)

    bad, good = done(await update(w))["plugins"]

    assert bad["reason"].startswith("The gateway could not live with")
    assert "a 6.6 is broken" in bad.pop("reason")
    assert (bad, good["status"]) == (row("a", "1.0", "rolled back"), "updated")
    assert versions(fake_openclaw) == {"a": "1.0", "b": "1.1"}
    assert fake_openclaw.config_file.read_bytes() == config
    assert await pid_of_gateway(w) not in {None, pid}


async def test_one_of_which_no_copy_can_be_kept_costs_the_others_nothing(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(fake_openclaw, "a", "b")
    fake_openclaw.configure(update_to={"a": "1.1", "b": "1.1"})

    async def keep(job: Any, listed: Any, *, plugin: str, package: str | None) -> PluginBefore:
        if plugin == "b":
            raise StateUnwritableError("There is no room for a copy.")
        return await plugin_before(job, listed, plugin=plugin, package=package)

    monkeypatch.setattr(update_plugins, "plugin_before", keep)

    first, second = done(await update(w))["plugins"]

    assert (first["status"], second["status"]) == ("updated", "failed")
    assert second["reason"].startswith("There is no room for a copy.")
    assert versions(fake_openclaw) == {"a": "1.1", "b": "1.0"}


async def test_a_config_that_breaks_meanwhile_is_told_of_its_plugin_and_the_updates_before_stay_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(fake_openclaw, "a", "b", "c")
    fake_openclaw.configure(update_to={"a": "1.1", "b": "1.1"})

    async def keep(job: Any, listed: Any, *, plugin: str, package: str | None) -> PluginBefore:
        if plugin == "b":  # somebody edits it by hand
            await asyncio.to_thread(fake_openclaw.config_file.write_text, "{oops")
        return await plugin_before(job, listed, plugin=plugin, package=package)

    monkeypatch.setattr(update_plugins, "plugin_before", keep)

    first, second, third = done(await update(w))["plugins"]

    assert first == row("a", "1.1", "updated") | {"reason": None}
    assert second["status"] == third["status"] == "failed"
    assert "openclaw.json" in second["reason"]
    assert third["reason"].startswith("Not tried, since b could not be updated (")


async def test_what_stands_in_the_way_of_the_first_is_told_as_it_is(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(fake_openclaw, "a", "b")

    async def keep(*_: Any, **__: Any) -> PluginBefore:
        raise GatewayConfigError("It is broken.")

    monkeypatch.setattr(update_plugins, "plugin_before", keep)

    failed(await update(w), GatewayConfigError.error)


async def test_updates_that_wait_too_long_for_the_gateway_are_a_timeout(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(fake_openclaw, "a")

    async def keep(*_: Any, **__: Any) -> PluginBefore:
        raise DeadlineExceededError("Somebody else starts or stops the gateway.")

    monkeypatch.setattr(update_plugins, "plugin_before", keep)

    assert (await update(w)).status is TaskStatus.TIMEOUT


async def test_one_alone_that_is_rolled_back_is_a_failure(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "a", "b")
    fake_openclaw.configure(update_to={"a": "6.6", "b": "1.1"}, deadly=["6.6"])
    await start(w)

    task = await update(w, "a")

    assert "a 6.6 is broken" in failed(task, "plugin_not_updated")
    assert task.result is not None
    assert [update["status"] for update in task.result["plugins"]] == ["rolled back"]
    assert versions(fake_openclaw) == {"a": "1.0", "b": "1.0"}


async def test_an_update_that_fails_half_way_leaves_the_version_before(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a")
    fake_openclaw.configure(update_to={"a": "1.1"}, update_refuses="it fell over")

    assert "it fell over" in failed(await update(w), "plugin_not_updated")
    assert versions(fake_openclaw) == {"a": "1.0"}


async def test_what_does_not_come_up_again_keeps_the_others_from_being_tried(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a", "b")
    # what it had before is not to be had any more
    fake_openclaw.configure(update_to={"a": "6.6"}, deadly=["6.6"], install_refuses="no such version")
    await start(w)

    task = await update(w)

    assert "no such version" in failed(task, "plugin_not_updated")
    assert task.result is not None
    assert [update["status"] for update in task.result["plugins"]] == ["rolled back", "failed"]


async def test_an_unknown_or_bundled_plugin_is_not_updated(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "telegram", bundled=True)
    failed(await update(w, "telegram"), "bundled_plugin")
    failed(await update(w, "voice"), "unknown_plugin")


async def test_the_older_ones_folder_is_put_back(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    is_old(fake_openclaw)
    there(fake_openclaw, "a")
    code = fake_openclaw.config_dir / "extensions" / "a" / "index.js"
    code.parent.mkdir(parents=True)
    code.write_text("good")
    fake_openclaw.configure(update_to={"a": "1.1"}, update_writes="a", update_refuses="it fell over")

    failed(await update(w, "a"), "plugin_not_updated")

    assert code.read_text() == "good"
