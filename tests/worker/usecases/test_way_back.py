"""Putting a config back: the old bytes, but never over what somebody else has written since."""

import asyncio
import json
from typing import Any

import pytest

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.config_diff import changes_between
from buddy_worker.usecases.plugin_keys import PluginKeys
from buddy_worker.usecases.way_back import put_config_back
from worker.usecases.scene import RecordingJob

OLD: dict[str, Any] = {"gateway": {"port": 1}, "models": {"providers": {"a": {"baseUrl": "http://x"}}}}
OURS = OLD | {"models": {"providers": {"a": {"baseUrl": "http://y"}, "b": {"baseUrl": "http://z"}}}}


def write(host: HostPlane, config: dict[str, Any]) -> ConfigState:
    host.config_files.path.write_text(json.dumps(config))
    return host.config_files.read()


async def put_back(host: HostPlane, job: RecordingJob, now: dict[str, Any]) -> bytes:
    """Make our change, then what `now` says; put it back, and return what is there."""
    before = await asyncio.to_thread(write, host, OLD)
    await asyncio.to_thread(write, host, now)
    changes = changes_between(OLD, OURS)
    await put_config_back(job.as_job(), before=before, changes=changes)
    return await asyncio.to_thread(host.config_files.path.read_bytes)


async def test_what_only_we_have_changed_is_as_before_to_the_byte(host: HostPlane, job: RecordingJob) -> None:
    assert await put_back(host, job, OURS) == json.dumps(OLD).encode()


@pytest.mark.parametrize(
    "noise", [{"meta": {"lastTouchedVersion": "2026.9.6"}}, {"commands": {"native": "auto"}}]
)
async def test_what_openclaw_adds_by_itself_is_nobodys_edit(
    host: HostPlane, job: RecordingJob, noise: dict[str, Any]
) -> None:
    assert await put_back(host, job, OURS | noise) == json.dumps(OLD).encode()


async def test_an_edit_of_somebody_else_stays(host: HostPlane, job: RecordingJob) -> None:
    theirs = {"logging": {"level": "debug"}}

    assert json.loads(await put_back(host, job, OURS | theirs)) == OLD | theirs


async def test_what_was_there_is_kept_before_it_is_put_back(host: HostPlane, job: RecordingJob) -> None:
    await put_back(host, job, OURS)

    newest = (await asyncio.to_thread(host.history.listing))[0]
    assert (await asyncio.to_thread(host.history.get, newest.name))[1]["openclaw.json"] == json.dumps(
        OURS
    ).encode()


async def test_a_file_that_is_broken_meanwhile_is_put_back_whole(host: HostPlane, job: RecordingJob) -> None:
    before = await asyncio.to_thread(write, host, OLD)
    await asyncio.to_thread(host.config_files.path.write_bytes, b"{ broken")

    await put_config_back(job.as_job(), before=before, changes=changes_between(OLD, OURS))

    assert await asyncio.to_thread(host.config_files.path.read_bytes) == json.dumps(OLD).encode()


PLUGINS: dict[str, Any] = {
    "entries": {"x": {"enabled": True}, "other": {"enabled": True}},
    "installs": {"x": {"spec": "@a/x@1"}},
    "allow": ["x"],
}


async def after_a_command(
    host: HostPlane,
    job: RecordingJob,
    keys: PluginKeys,
    old: dict[str, Any],
    now: dict[str, Any],
) -> dict[str, Any]:
    """Have the config change while a command about a plugin runs, and take the command back."""
    before = await asyncio.to_thread(write, host, OLD | old)
    await asyncio.to_thread(write, host, OLD | now)
    await put_config_back(job.as_job(), before=before, changes=keys)
    found: dict[str, Any] = json.loads(await asyncio.to_thread(host.config_files.path.read_bytes))
    return {key: value for key, value in found.items() if key not in OLD}


async def test_a_channel_that_somebody_sets_up_outlives_a_command_about_a_plugin(
    host: HostPlane, job: RecordingJob
) -> None:
    telegram = {"enabled": True, "botToken": "123:ABC"}
    theirs = {
        "plugins": PLUGINS | {"entries": PLUGINS["entries"] | {"telegram": {"enabled": True}}},
        "channels": {"telegram": telegram},
    }

    keys = PluginKeys(frozenset({"x"}))
    assert await after_a_command(host, job, keys, {"plugins": PLUGINS}, theirs) == theirs

    assert job.lines == [
        "Somebody else has changed plugins.entries.telegram, channels.telegram meanwhile: that stays."
    ]


async def test_of_a_failed_command_only_what_belongs_to_its_plugin_is_put_back_and_named(
    host: HostPlane, job: RecordingJob
) -> None:
    old = {"plugins": PLUGINS | {"load": {"paths": ["/p/other"]}}, "channels": {"talk": {"enabled": True}}}
    now = {
        "plugins": {
            "entries": {"other": {"enabled": False}},
            "allow": ["other"],
            "load": {"paths": ["/p/other", "/p/x"]},
            "slots": {"memory": "x", "talk": "other"},
        }
    }

    keys = PluginKeys(frozenset({"x"}), frozenset({"talk"}))
    assert await after_a_command(host, job, keys, old, now) == {
        "plugins": {
            "entries": {"other": {"enabled": False}, "x": {"enabled": True}},
            "installs": {"x": {"spec": "@a/x@1"}},
            "allow": ["other", "x"],
            "load": {"paths": ["/p/other"]},
            "slots": {"talk": "other"},
        },
        "channels": {"talk": {"enabled": True}},
    }
    backup = (await asyncio.to_thread(host.history.listing))[0].name
    ours, theirs = job.lines
    assert ours == (
        "As before in openclaw.json: plugins.entries.x, plugins.installs.x, plugins.allow,"
        " plugins.load.paths, plugins.slots.memory, channels.talk."
        f" What was there is in the backup {backup}."
    )
    assert theirs == (
        "Somebody else has changed plugins.entries.other.enabled, plugins.allow, plugins.slots.talk"
        " meanwhile: that stays."
    )


async def test_a_package_whose_id_nobody_knows_is_found_by_its_record(
    host: HostPlane, job: RecordingJob
) -> None:
    now = {
        "plugins": {
            "entries": {"voice": {"enabled": True}, "telegram": {"enabled": True}},
            "installs": {"voice": {"source": "npm", "spec": "@a/voice-plugin@2.0"}},
        }
    }

    keys = PluginKeys(package="@a/voice-plugin")
    assert await after_a_command(host, job, keys, {}, now) == {
        "plugins": {"entries": {"telegram": {"enabled": True}}}
    }
