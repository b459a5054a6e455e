"""People are told once of each WeChat session that is over."""

import asyncio
import json
from pathlib import Path

import pytest

from buddy_common.adapters.alerts import Alerts, Delivery
from buddy_common.adapters.wechat_sessions import ExpiredSession
from buddy_common.schemas.wechat import LOGIN_PAGE
from buddy_common.settings import AlertSettings
from buddy_watchdog import wechat_watch
from buddy_watchdog.wechat_watch import WechatWatch

OVER = ExpiredSession("b0f5-im-bot", "user", bound_at=1000.0, expired_at=2000.0)
NEXT = ExpiredSession("b0f5-im-bot", "user", bound_at=3000.0, expired_at=4000.0)

OTHER = ExpiredSession("c1a6-im-bot", "other", bound_at=1500.0, expired_at=2500.0)


class Remembering(Alerts):
    """Sends nothing, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(AlertSettings())
        self.sent: list[tuple[str, str]] = []

    async def notify(self, title: str, body: str) -> list[Delivery]:
        self.sent.append((title, body))
        return []


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alerts = Remembering()
        self.over: list[ExpiredSession] = []
        self.page = AlertSettings(BUDDY_PUBLIC_URL="https://buddy.example.com/").link_to(LOGIN_PAGE)

    async def look(self) -> None:
        """Look with a watch that begins anew, as after a restart."""
        watch = WechatWatch(
            "local", self.folder, alerts=self.alerts, told=self.folder / "told.json", page=self.page
        )
        await watch.look()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)

    async def expired(_folder: Path, *, log_folders: object) -> list[ExpiredSession]:
        del log_folders
        return place.over

    monkeypatch.setattr(wechat_watch, "expired_sessions", expired)
    return place


async def test_a_session_that_is_over_is_told_once_whoever_restarts(place: Place) -> None:
    await place.look()
    place.over = [OVER]
    for _ in range(3):
        await place.look()

    ((title, body),) = place.alerts.sent
    assert "微信" in title
    assert "https://buddy.example.com/wechat?node=local " in body
    assert OVER.account in body


async def test_another_session_of_the_same_account_is_told_again(place: Place) -> None:
    for over in ([OVER], [], [NEXT]):
        place.over = over
        await place.look()

    assert len(place.alerts.sent) == 2


async def test_a_session_that_is_not_over_at_one_look_is_not_told_again(place: Place) -> None:
    for over in ([OVER], [], [OVER], [OVER, OTHER], [OTHER], [OVER]):
        place.over = over
        await place.look()

    assert len(place.alerts.sent) == 2


async def test_what_is_remembered_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_watch, "KEPT", 1)
    for over in ([OVER], [OTHER], [NEXT]):
        place.over = over
        await place.look()

    told = json.loads(await asyncio.to_thread((place.folder / "told.json").read_bytes))
    assert told == [[OTHER.account, OTHER.bound_at], [NEXT.account, NEXT.bound_at]]


async def test_what_cannot_be_remembered_is_not_told_every_minute(place: Place) -> None:
    place.over = [OVER]
    await asyncio.to_thread((place.folder / "told.json").mkdir)
    for _ in range(3):
        await place.look()

    assert place.alerts.sent == []
