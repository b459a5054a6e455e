"""A login to WeChat at a gateway that runs the account."""

import time

import pytest

from buddy_common.schemas.wechat import PLUGIN
from buddy_worker.usecases import login_wechat, wechat_channel
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import there
from worker.usecases.login_wechat.scene import Scene
from worker.wechat_scene import ACCOUNT, ChannelGateway


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> ChannelGateway:
    """The gateway runs the account as soon as it is asked, without being told to."""
    gateway = ChannelGateway()
    gateway.runs(ACCOUNT, at=time.time() + 60)
    monkeypatch.setattr(wechat_channel, "call_gateway", gateway.connect)
    monkeypatch.setattr(wechat_channel, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(wechat_channel, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(wechat_channel, "DOWN_SECONDS", 0.1)
    monkeypatch.setattr(login_wechat, "LOOK_SECONDS", 0.02)
    return gateway


@pytest.fixture
async def scene(w: Wiring, fake_openclaw: FakeOpenClaw, gateway: ChannelGateway) -> Scene:
    scene = Scene(w, fake_openclaw, gateway)
    there(fake_openclaw, PLUGIN)
    await scene.logins.listen("local", seconds=60)
    return scene
