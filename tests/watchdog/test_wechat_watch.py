"""People are told once of each WeChat session that is over."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.alerts import Alerts, Delivery
from buddy_common.adapters.own_record import OwnRecord
from buddy_common.adapters.wechat_sessions import ExpiredSession
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import LOGIN_PAGE
from buddy_common.settings import AlertSettings
from buddy_watchdog import wechat_watch
from buddy_watchdog.wechat_watch import LONGEST_WAIT_SECONDS, LOOK_SECONDS, WechatWatch
from fakes.alert_sink import AlertSink
from fakes.ports import free_port

OVER = ExpiredSession("b0f5-im-bot", "user", bound_at=1000.0, expired_at=2000.0)
NEXT = ExpiredSession("b0f5-im-bot", "user", bound_at=3000.0, expired_at=4000.0)

OTHER = ExpiredSession("c1a6-im-bot", "other", bound_at=1500.0, expired_at=2500.0)


class Remembering(Alerts):
    """Sends nothing, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(AlertSettings())
        self.sent: list[tuple[str, str]] = []
        self.deliveries: list[Delivery] = []

    async def notify(self, title: str, body: str) -> list[Delivery]:
        self.sent.append((title, body))
        return self.deliveries


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alerts: Alerts = Remembering()
        self.now = 10_000.0
        self.over: list[ExpiredSession] = []
        self.page = AlertSettings(BUDDY_PUBLIC_URL="https://buddy.example.com/").link_to(LOGIN_PAGE)

    async def look(self) -> None:
        """Look with a watch that begins anew, as after a restart."""
        watch = WechatWatch(
            "local",
            self.folder,
            alerts=self.alerts,
            told=self.folder / "told.json",
            page=self.page,
            clock=lambda: self.now,
        )
        await watch.look()

    @property
    def sent(self) -> list[tuple[str, str]]:
        assert isinstance(self.alerts, Remembering)
        return self.alerts.sent

    def answers(self, deliveries: list[bool]) -> None:
        """Let each address take the next alerts, or not."""
        assert isinstance(self.alerts, Remembering)
        self.alerts.deliveries = [Delivery(f"#{place}", ok=ok) for place, ok in enumerate(deliveries, 1)]


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

    ((title, body),) = place.sent
    assert "微信" in title
    assert "https://buddy.example.com/wechat?node=local " in body
    assert OVER.account in body


async def test_an_alert_that_a_dead_webhook_did_not_take_comes_when_it_is_back(place: Place) -> None:
    port = free_port()
    place.alerts = Alerts(AlertSettings(urls=f"json://127.0.0.1:{port}/"))
    place.over = [OVER]

    await place.look()
    sink = await asyncio.to_thread(AlertSink, port)
    try:
        await place.look()  # too early for another attempt
        early = list(sink.alerts)
        for _ in range(3):
            place.now += LOOK_SECONDS
            await place.look()
        alerts = list(sink.alerts)
    finally:
        await asyncio.to_thread(sink.close)

    assert early == []
    (alert,) = alerts
    assert "微信" in alert["title"]


async def test_attempts_that_nobody_takes_get_rarer_and_do_not_end(place: Place) -> None:
    place.answers([False, False])
    place.over = [OVER]
    attempts: list[float] = []
    for _ in range(8 * 60):  # minutes
        before = len(place.sent)
        await place.look()
        attempts += [place.now] * (len(place.sent) - before)
        place.now += LOOK_SECONDS

    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert waits[0] == LOOK_SECONDS
    assert waits == sorted(waits)
    assert waits[-2:] == [LONGEST_WAIT_SECONDS] * 2
    assert len(attempts) <= 15


async def test_an_alert_that_one_address_took_is_not_sent_again(place: Place) -> None:
    place.answers([False, True])
    place.over = [OVER]
    for _ in range(5):
        await place.look()
        place.now += LONGEST_WAIT_SECONDS

    assert len(place.sent) == 1


async def test_of_two_alerts_the_one_that_was_taken_does_not_wait_for_the_other(place: Place) -> None:
    place.answers([False])
    place.over = [OVER]
    await place.look()
    place.answers([True])
    place.over = [OVER, OTHER]
    for _ in range(3):
        await place.look()
    assert [OTHER.account in body for _, body in place.sent] == [False, True]

    for _ in range(3):
        place.now += LONGEST_WAIT_SECONDS
        await place.look()

    assert [OVER.account in body for _, body in place.sent] == [True, False, True]


async def test_a_clock_that_is_set_back_holds_up_no_alert(place: Place) -> None:
    place.answers([False])
    place.over = [OVER]
    place.now = 9e9
    await place.look()
    place.answers([True])
    place.now = 10_000.0
    await place.look()
    await place.look()

    assert len(place.sent) == 2


async def test_an_alert_that_was_taken_but_not_noted_is_sent_once_by_the_same_watch(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.over = [OVER]
    watch = WechatWatch(
        "local", place.folder, alerts=place.alerts, told=place.folder / "told.json", clock=lambda: place.now
    )
    write = OwnRecord.write
    room = [True, False]  # for the attempt, and none for its outcome

    def full(record: OwnRecord[Any], value: Any) -> None:
        if not room.pop(0):
            raise StateUnwritableError("full")
        write(record, value)

    with monkeypatch.context() as patching:
        patching.setattr(OwnRecord, "write", full)
        await watch.look()
    place.now += LONGEST_WAIT_SECONDS
    await watch.look()

    assert len(place.sent) == 1
    await place.look()  # and it is noted by now
    assert len(place.sent) == 1


async def test_another_session_of_the_same_account_is_told_again(place: Place) -> None:
    for over in ([OVER], [], [NEXT]):
        place.over = over
        await place.look()

    assert len(place.sent) == 2


async def test_a_session_that_is_not_over_at_one_look_is_not_told_again(place: Place) -> None:
    for over in ([OVER], [], [OVER], [OVER, OTHER], [OTHER], [OVER]):
        place.over = over
        await place.look()

    assert len(place.sent) == 2


async def test_what_is_remembered_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_watch, "KEPT", 1)
    for over in ([OVER], [OTHER], [NEXT]):
        place.over = over
        await place.look()

    told = json.loads(await asyncio.to_thread((place.folder / "told.json").read_bytes))
    assert [(row["account"], row["bound_at"]) for row in told] == [
        (OTHER.account, OTHER.bound_at),
        (NEXT.account, NEXT.bound_at),
    ]


async def test_what_cannot_be_remembered_is_not_told_every_minute(place: Place) -> None:
    place.over = [OVER]
    await asyncio.to_thread((place.folder / "told.json").mkdir)
    for _ in range(3):
        await place.look()

    assert place.sent == []
