"""Putting a config back: the old bytes, but never over what somebody else has written since."""

import asyncio
import json
from typing import Any

import pytest

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.config_diff import changes_between
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
