"""The WeChat channel is installed in the version that fits, whatever was there before."""

import json
from typing import Any

import pytest

from buddy_common.errors import WechatUnsupportedError
from buddy_common.schemas.tasks import TaskView
from buddy_common.schemas.wechat import PLUGIN
from buddy_common.schemas.wechat_jobs import InstallWechatJob
from buddy_worker.jobs import RunningJob
from buddy_worker.usecases import wechat_channel
from buddy_worker.usecases.change_config import ConfigChanged, change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.install_wechat import install_wechat, release_for
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, is_old, pid_of_gateway, run, start, there, versions
from worker.queued import view
from worker.wechat_scene import ChannelGateway

pytestmark = pytest.mark.timeout(40)  # it starts a gateway


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> ChannelGateway:
    """What the gateway says of its channels: it has loaded the plugin's, which has no accounts."""
    gateway = ChannelGateway(rows=[])
    monkeypatch.setattr(wechat_channel, "call_gateway", gateway.connect)
    monkeypatch.setattr(wechat_channel, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(wechat_channel, "LOADED_SECONDS", 0.3)
    return gateway


async def install(w: Wiring) -> TaskView:
    return await run(w, InstallWechatJob(), install_wechat)


def config(fake: FakeOpenClaw) -> Any:
    return json.loads(fake.config_file.read_bytes())


def installs(fake: FakeOpenClaw) -> int:
    return sum(what == "install begins" for what, *_ in fake.process_log)


@pytest.mark.parametrize(
    ("openclaw", "plugin"),
    [
        ("2026.3.22", "2.1.6"),
        ("2026.3.28", "2.1.6"),
        ("2026.5.11", "2.1.6"),
        ("2026.5.12", "2.4.9"),
        ("2026.9.6", "2.4.9"),
        ("2027.1.1-beta.1", "2.4.9"),
    ],
)
def test_each_openclaw_has_its_release_of_the_plugin(openclaw: str, plugin: str) -> None:
    assert release_for(openclaw).version == plugin


@pytest.mark.parametrize("openclaw", [None, "", "2026.3.21", "2025.12.1"])
def test_an_openclaw_that_is_too_old_is_told_what_it_needs(openclaw: str | None) -> None:
    with pytest.raises(WechatUnsupportedError, match=r"2026\.3\.22"):
        release_for(openclaw)


@pytest.mark.parametrize(
    ("openclaw", "plugin", "good"),
    [
        ("2026.9.6", "2.4.9", True),
        ("2026.9.6", "2.5.0", True),
        ("2026.9.6", "2.4.6", False),
        ("2026.9.6", "2.1.6", False),
        ("2026.9.6", "3.0.0", False),
        ("2026.9.6", None, False),
        ("2026.3.28", "2.1.6", True),
        ("2026.3.28", "2.1.1", True),
        ("2026.3.28", "2.1.0", False),
        ("2026.3.28", "2.4.9", False),
    ],
)
def test_what_is_there_is_kept_if_it_fits(openclaw: str, plugin: str | None, *, good: bool) -> None:
    assert release_for(openclaw).takes(plugin) is good


@pytest.mark.parametrize(("old", "version"), [(False, "2.4.9"), (True, "2.1.6")])
async def test_it_is_installed_and_on_and_the_gateway_lives(
    w: Wiring, fake_openclaw: FakeOpenClaw, *, old: bool, version: str
) -> None:
    if old:
        is_old(fake_openclaw)
    pid = await start(w)

    result = done(await install(w))

    assert (result["version"], result["installed"], result["enabled"]) == (version, True, True)
    assert versions(fake_openclaw) == {PLUGIN: version}
    assert config(fake_openclaw)["plugins"]["entries"][PLUGIN]["enabled"] is True
    assert config(fake_openclaw)["channels"][PLUGIN] == {"accounts": {}}
    assert await pid_of_gateway(w) == pid


@pytest.mark.parametrize("old", [False, True])
async def test_clawhub_is_out_of_the_older_openclaws_way(
    w: Wiring, fake_openclaw: FakeOpenClaw, *, old: bool
) -> None:
    if old:
        is_old(fake_openclaw)

    task = await view(w, (await install(w)).id)

    assert (f"Resolving clawhub:{PLUGIN}" in task.output) is old


async def test_once_more_installs_nothing_and_changes_nothing(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    done(await install(w))
    before = fake_openclaw.config_file.read_bytes()

    result = done(await install(w))

    assert (result["version"], result["installed"]) == ("2.4.9", False)
    assert installs(fake_openclaw) == 1
    assert fake_openclaw.config_file.read_bytes() == before


async def test_a_version_that_does_not_fit_is_replaced(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, PLUGIN, "voice", version="2.4.6")

    assert done(await install(w))["installed"] is True

    assert versions(fake_openclaw) == {"voice": "2.4.6", PLUGIN: "2.4.9"}


async def test_a_channel_that_is_off_or_only_half_there_is_mended(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, PLUGIN, version="2.4.9")
    broken = config(fake_openclaw) | {
        "channels": {PLUGIN: {"enabled": False, "botAgent": "x"}},
        "plugins": {"entries": {PLUGIN: {"enabled": False}}, "allow": ["voice"], "deny": [PLUGIN]},
    }
    fake_openclaw.config_file.write_text(json.dumps(broken))

    done(await install(w))

    assert config(fake_openclaw)["channels"][PLUGIN] == {"enabled": True, "botAgent": "x", "accounts": {}}
    assert config(fake_openclaw)["plugins"] == {
        "entries": {PLUGIN: {"enabled": True}},
        "allow": ["voice", PLUGIN],
        "deny": [],
    }


async def test_an_install_that_ends_the_gateway_is_undone(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(deadly=["2.4.9"])
    before = fake_openclaw.config_file.read_bytes()
    pid = await start(w)

    task = await install(w)

    assert f"{PLUGIN} 2.4.9 is broken" in failed(task, "config_undone")
    assert versions(fake_openclaw) == {}
    assert fake_openclaw.config_file.read_bytes() == before
    assert await pid_of_gateway(w) not in {None, pid}


async def test_a_replacement_that_ends_the_gateway_only_once_it_is_on_is_undone_as_a_whole(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, PLUGIN, version="2.4.6")
    fake_openclaw.configure(deadly=["2.4.9"])
    before = config(fake_openclaw) | {"plugins": {"entries": {PLUGIN: {"enabled": True}}}}
    fake_openclaw.config_file.write_text(json.dumps(before))
    pid = await start(w)

    task = await install(w)

    assert f"{PLUGIN} 2.4.9 is broken" in failed(task, "config_undone")
    assert versions(fake_openclaw) == {PLUGIN: "2.4.6"}
    assert config(fake_openclaw) == before
    assert await pid_of_gateway(w) not in {None, pid}


@pytest.mark.parametrize("old", [False, True])
async def test_what_was_set_of_the_channel_outlives_another_version(
    w: Wiring, fake_openclaw: FakeOpenClaw, *, old: bool
) -> None:
    if old:
        is_old(fake_openclaw)
    there(fake_openclaw, PLUGIN, version="2.0.0")
    channel = {"botAgent": "x", "routeTag": "y", "accounts": {"a": {"name": "z"}}}
    entry = {"enabled": True, "config": {"level": 1}}
    fake_openclaw.config_file.write_text(
        json.dumps(
            config(fake_openclaw) | {"channels": {PLUGIN: channel}, "plugins": {"entries": {PLUGIN: entry}}}
        )
    )

    assert done(await install(w))["installed"] is True

    assert config(fake_openclaw)["channels"][PLUGIN] == channel
    assert config(fake_openclaw)["plugins"]["entries"][PLUGIN] == entry


async def test_a_gateway_without_the_channel_is_no_success_and_all_is_undone(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    gateway.loaded = False
    before = fake_openclaw.config_file.read_bytes()
    await start(w)

    assert "has not loaded" in failed(await install(w), "config_undone")
    assert versions(fake_openclaw) == {}
    assert fake_openclaw.config_file.read_bytes() == before


async def test_a_plugin_that_was_there_stays_where_the_gateway_has_not_loaded_it(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway
) -> None:
    done(await install(w))
    gateway.loaded = False
    await start(w)

    assert "Restart the gateway" in failed(await install(w), "wechat_channel_failed")
    assert versions(fake_openclaw) == {PLUGIN: "2.4.9"}


@pytest.mark.parametrize("up", [True, False])
async def test_a_gateway_that_cannot_be_asked_is_told_apart(
    w: Wiring, gateway: ChannelGateway, *, up: bool
) -> None:
    if up:
        await start(w)
    assert done(await install(w))["loaded"] is (True if up else None)
    gateway.rows = None

    assert done(await install(w))["loaded"] is None


async def test_a_command_that_fails_is_told_in_its_own_words(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(install_refuses="Package not found on npm: @tencent-weixin/openclaw-weixin@2.4.9")

    assert "Package not found on npm" in failed(await install(w), "openclaw_cli_failed")
    assert config(fake_openclaw).get("plugins") is None


async def test_a_version_that_cannot_be_replaced_stays(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    there(fake_openclaw, PLUGIN, version="2.4.6")
    fake_openclaw.configure(install_refuses="npm error network")

    failed(await install(w), "openclaw_cli_failed")

    assert versions(fake_openclaw) == {PLUGIN: "2.4.6"}


async def test_a_gateway_that_lets_chats_end_first_has_not_failed_to_load_the_channel(
    w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(*args: Any, **kwargs: Any) -> ConfigChanged:
        changed = await change_config(*args, **kwargs)
        return changed.model_copy(update={"applied": Applied.AT_RESTART})

    monkeypatch.setattr("buddy_worker.usecases.install_wechat.change_config", later)
    gateway.loaded = False
    await start(w)

    assert done(await install(w))["loaded"] is None

    assert versions(fake_openclaw) == {PLUGIN: "2.4.9"}


async def test_success_that_is_none_is_a_failure(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(install_lies=True)

    failed(await install(w), "plugin_not_installed")


async def test_a_plugin_that_openclaw_cannot_load_is_a_failure(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    row = {"id": PLUGIN, "origin": "global", "version": "2.4.9", "enabled": True, "status": "error"}
    (fake_openclaw.config_dir / "plugins.json").write_text(json.dumps([row]))

    assert "it is error" in failed(await install(w), "plugin_not_installed")


async def test_its_output_says_what_was_installed(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    del fake_openclaw
    task = await view(w, (await install(w)).id)

    assert task.progress == 100
    assert "Installing @tencent-weixin/openclaw-weixin@2.4.9" in task.output
    assert f"OpenClaw has {PLUGIN} 2.4.9: on" in task.output


async def test_its_progress_never_falls_back(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fake_openclaw
    seen: list[int] = []
    report = RunningJob._report

    async def note(job: RunningJob[Any], **fields: Any) -> None:
        if "progress" in fields:
            seen.append(fields["progress"])
        await report(job, **fields)

    monkeypatch.setattr(RunningJob, "_report", note)

    done(await install(w))

    assert seen == sorted(seen)
    assert len(set(seen)) > 4
