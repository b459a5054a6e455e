"""What the watchdog's process watches."""

from pathlib import Path
from typing import Any

import pytest

from buddy_watchdog import main as entry
from buddy_watchdog.wechat_watch import WechatWatch


def test_wechat_sessions_are_watched_beside_the_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_url: str
) -> None:
    built: dict[str, Any] = {}
    monkeypatch.setenv("BUDDY_HOME", str(tmp_path))
    monkeypatch.setenv("BUDDY_REDIS_URL", redis_url)
    monkeypatch.setattr(entry, "configure_logging", lambda **_: None)
    monkeypatch.setattr(entry, "Runner", lambda _, **more: built.update(more))
    monkeypatch.setattr(entry, "create_app", lambda _: None)
    monkeypatch.setattr("buddy_watchdog.main.uvicorn.run", lambda *_, **__: None)

    entry.main()

    (watch,) = built["beside"]
    assert isinstance(watch, WechatWatch)
