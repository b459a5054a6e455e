"""A node on which the WeChat plugin is there and on."""

import pytest

from api.conftest import Api
from api.wechat.playing import report
from buddy_api.usecases import wechat_login


@pytest.fixture(autouse=True)
async def installed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node says that the plugin is there and on."""
    monkeypatch.setattr(wechat_login, "LOOK_SECONDS", 0.02)
    await report(api)
