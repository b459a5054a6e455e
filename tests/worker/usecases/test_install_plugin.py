"""An installed plugin is there, on, and no end of the gateway."""

import asyncio
import json

import pytest

from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, install, is_old, pid_of_gateway, start, versions
from worker.queued import hold, is_free

pytestmark = pytest.mark.timeout(40)  # it starts a gateway


def config(fake: FakeOpenClaw) -> dict[str, object]:
    found: dict[str, object] = json.loads(fake.config_file.read_bytes())
    return found


async def test_an_installed_plugin_is_on(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    result = done(await install(w, "@scope/voice@1.2"))

    assert result == {"id": "voice", "version": "1.2", "enabled": True, "applied": "next start"}
    assert config(fake_openclaw)["plugins"] == {"entries": {"voice": {"enabled": True}}}
    assert w.host.journal.open_change() is None


async def test_a_running_gateway_is_seen_through_an_install(w: Wiring) -> None:
    pid = await start(w)

    assert done(await install(w, "voice"))["version"] == "1.0"
    assert await pid_of_gateway(w) == pid


async def test_an_install_that_ends_the_gateway_is_undone(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(deadly=["6.6"])
    before = fake_openclaw.config_file.read_bytes()
    pid = await start(w)

    task = await install(w, "voice@6.6")

    assert "voice 6.6 is broken" in failed(task, "config_undone")
    assert task.result is not None
    assert task.result["gatewayUp"] is True
    assert versions(fake_openclaw) == {}
    assert fake_openclaw.config_file.read_bytes() == before
    assert await pid_of_gateway(w) not in {None, pid}


async def test_an_install_over_another_version_that_ends_the_gateway_brings_the_other_back(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(deadly=["6.6"])
    done(await install(w, "voice@1.0"))
    await start(w)

    failed(await install(w, "voice@6.6", force=True), "config_undone")

    assert versions(fake_openclaw) == {"voice": "1.0"}


async def test_what_openclaw_says_when_it_refuses_is_the_reason(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(install_refuses="requires OpenClaw >=2027")
    before = fake_openclaw.config_file.read_bytes()

    assert "requires OpenClaw >=2027" in failed(await install(w, "voice"), "openclaw_cli_failed")
    assert fake_openclaw.config_file.read_bytes() == before
    assert w.host.journal.open_change() is None


async def test_the_older_one_installs_nothing_where_the_config_has_several_files(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    is_old(fake_openclaw)
    part = fake_openclaw.config_dir / "agents.json5"
    part.write_text("{}")
    whole = config(fake_openclaw) | {"agents": {"$include": "./agents.json5"}}
    fake_openclaw.config_file.write_text(json.dumps(whole))
    before = fake_openclaw.config_file.read_bytes()

    failed(await install(w, "voice"), "include_unsupported")

    assert fake_openclaw.config_file.read_bytes() == before
    assert "install begins" not in [what for what, *_ in fake_openclaw.process_log]


async def test_nothing_is_installed_where_the_config_cannot_be_read(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.config_file.write_text("{ no")

    failed(await install(w, "voice"), "config_unreadable")

    assert fake_openclaw.config_file.read_text() == "{ no"
    assert fake_openclaw.process_log == []


async def test_an_install_may_replace_the_gateways_process_once_nobody_else_is_at_it(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    """It holds that lock for the replacement only, not for the minutes that npm takes."""
    assert InstallPluginJob.locks == {NodeLock.CONFIG}
    fake_openclaw.configure(deadly=["6.6"])
    pid = await start(w)
    held = await hold(w, NodeLock.LIFECYCLE)
    installing = asyncio.create_task(install(w, "voice@6.6"))

    await eventually(lambda: pid_of_gateway(w), lambda now: now is None, seconds=15)
    assert not installing.done()
    held.release()

    failed(await installing, "config_undone")
    assert await pid_of_gateway(w) not in {None, pid}
    assert await is_free(w, NodeLock.LIFECYCLE)
