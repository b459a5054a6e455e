"""What a command that fails, or that ends the gateway, has changed is undone; what others edited is not."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import failed, install, pid_of_gateway, start, versions
from worker.queued import view
from worker.usecases.cut_off.scene import (
    config,
)

pytestmark = pytest.mark.timeout(60)  # programs are started and ended


async def test_an_edit_by_hand_outlives_a_command_that_fails(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    fake_openclaw.configure(install_breaks_after=str(gate))
    before = config(fake_openclaw)
    running = asyncio.create_task(install(w, "voice"))
    await eventually(partial(asyncio.to_thread, config, fake_openclaw), lambda now: "plugins" in now)
    theirs = {"logging": {"level": "debug"}}
    fake_openclaw.config_file.write_text(json.dumps(config(fake_openclaw) | theirs))
    await asyncio.to_thread(gate.touch)

    task = await running

    failed(task, "openclaw_cli_failed")
    assert config(fake_openclaw) == before | theirs
    task = await view(w, task.id)
    assert "Somebody else has changed logging meanwhile: that stays." in task.output
    (newest, *_) = await asyncio.to_thread(w.host.history.listing)
    _, contents = await asyncio.to_thread(w.host.history.get, newest.name)
    assert b"debug" in contents["openclaw.json"]


async def test_what_a_command_that_fails_has_changed_is_as_before_to_the_byte(
    w: Wiring, fake_openclaw: FakeOpenClaw, gate: Path
) -> None:
    fake_openclaw.configure(install_breaks_after=str(gate))
    before = fake_openclaw.config_file.read_bytes()
    await asyncio.to_thread(gate.touch)

    failed(await install(w, "voice"), "openclaw_cli_failed")

    assert fake_openclaw.config_file.read_bytes() == before
    assert versions(fake_openclaw) == {}


async def test_a_plugin_that_ends_the_gateway_only_once_it_is_on_is_gone_again(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(deadly=["6.6"])
    off = config(fake_openclaw) | {"plugins": {"entries": {"voice": {"enabled": False}}}}
    fake_openclaw.config_file.write_text(json.dumps(off))
    before = fake_openclaw.config_file.read_bytes()
    pid = await start(w)

    task = await install(w, "voice@6.6")

    assert "voice 6.6 is broken" in failed(task, "config_undone")
    assert versions(fake_openclaw) == {}
    assert fake_openclaw.config_file.read_bytes() == before
    assert await pid_of_gateway(w) not in {None, pid}
