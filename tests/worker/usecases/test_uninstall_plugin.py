"""A plugin that was installed can go; what OpenClaw brings along stays."""

import pytest

from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, is_old, pid_of_gateway, start, there, uninstall, versions

pytestmark = pytest.mark.timeout(40)  # it starts a gateway


async def test_an_uninstalled_plugin_is_gone_and_the_gateway_is_not(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "voice", "other")
    pid = await start(w)

    result = done(await uninstall(w, "voice"))

    assert result == {"id": "voice", "version": "1.0", "applied": "hot"}
    assert versions(fake_openclaw) == {"other": "1.0"}
    assert await pid_of_gateway(w) == pid


async def test_an_unknown_plugin_is_said_to_be_unknown(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "other")
    assert "'voice'" in failed(await uninstall(w, "voice"), "unknown_plugin")


async def test_a_bundled_plugin_stays(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "telegram", bundled=True)

    assert "plugins/disable" in failed(await uninstall(w, "telegram"), "bundled_plugin")

    assert versions(fake_openclaw) == {"telegram": "1.0"}


async def test_an_uninstall_that_lies_is_no_success(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, "voice")
    fake_openclaw.configure(uninstall_lies=True)

    failed(await uninstall(w, "voice"), "plugin_not_removed")


async def test_the_older_ones_folder_is_copied_and_the_copy_is_dropped(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    is_old(fake_openclaw)
    there(fake_openclaw, "voice")
    folder = fake_openclaw.config_dir / "extensions" / "voice"
    folder.mkdir(parents=True)

    done(await uninstall(w, "voice"))

    assert not list(w.host.candidate_file.parent.glob("plugin-before/*"))
