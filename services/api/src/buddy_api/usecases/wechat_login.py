"""One WeChat login per node, which whoever wants to see its code joins."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from buddy_api.deps import Wiring
from buddy_api.usecases.judge_wechat_login import SilentEnd, goes_on
from buddy_common.adapters.access import Operator
from buddy_common.db import events
from buddy_common.errors import (
    BrokerUnavailableError,
    DatabaseUnavailableError,
    NoWechatLoginError,
    WechatLoginError,
    WechatNumberPendingError,
)
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.wechat import PLUGIN, SUCCESSES, LoginState, LoginView
from buddy_common.schemas.wechat_jobs import LoginWechatJob

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.4
BEAT_SECONDS = 5.0
# whoever asks again after a login went well gets to know that, and no other login
REMEMBER_SECONDS = 60.0
JOIN_SECONDS = 10.0
# who has fetched a code once needs time to scan it
SCAN_SECONDS = 300.0


@dataclass(frozen=True)
class Joined:
    """The login that somebody looks at."""

    node: str
    view: LoginView
    cached: bool  # it was there before


async def join_login(w: Wiring, *, node: str, operator: Operator, fresh: bool = False) -> Joined:
    """Join the node's login, or start one; of many who ask at once, one starts it.

    One that has just gone well is joined as well, unless a `fresh` one is wanted.

    Raises:
        BrokerUnavailableError: the broker cannot be reached.
        DatabaseUnavailableError: the database cannot be reached.
        WechatLoginError: another request was about to start one, and did not.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    await w.wechat_logins.listen(node, seconds=_grace(w))
    while (view := await _running(w, node, fresh=fresh)) is None:
        if await w.wechat_logins.may_start(node):
            # somebody may have started one between our look and our turn
            if (view := await _running(w, node, fresh=fresh)) is None:
                return Joined(node, await _start(w, node, operator), cached=False)
            await w.wechat_logins.gave_up(node)
            break
        if time.monotonic() > deadline:
            raise WechatLoginError("Another request was about to start a login, and did not.")
        await asyncio.sleep(LOOK_SECONDS)
    return Joined(node, view, cached=True)


async def rejoin_login(w: Wiring, *, node: str, task_id: str) -> Joined | None:
    """Join the node's last login once more, whether it has ended or not; None where that is another one.

    Raises:
        BrokerUnavailableError: the broker cannot be reached.
    """
    view = await w.wechat_logins.last(node)
    return None if view is None or view.task_id != task_id else Joined(node, view, cached=True)


async def follow_login(w: Wiring, joined: Joined) -> AsyncIterator[LoginView | None]:
    """Yield the login as it is, then each change up to its end; None where nothing has changed for a while.

    For as long as it is read, the login goes on. It ends early when the process is to stop or the broker is
    gone: who wants to know more asks again.
    """
    follower = _Follower(w, joined)
    try:
        with w.wechat_listeners.enter():
            while not w.stopping:
                await follower.beat()
                for view in await follower.news():
                    yield _without_dead_code(view)
                    if view.done:
                        return
                yield None
                await w.stopping.cut(asyncio.sleep(LOOK_SECONDS))
    except (BrokerUnavailableError, DatabaseUnavailableError) as exc:
        log.warning("wechat_login_not_followed", task_id=joined.view.task_id, reason=exc.message)


async def await_code(w: Wiring, joined: Joined, *, seconds: float) -> LoginView:
    """Return the login once it shows a code, asks for a number or has ended; as it is when time is up."""
    view = joined.view
    try:
        async with asyncio.timeout(seconds):
            async for news in follow_login(w, joined):
                view = news or view
                if view.qrcode_url is not None or view.done or view.state is LoginState.NEED_VERIFYCODE:
                    break
    except TimeoutError:
        pass
    if not view.done:
        await w.wechat_logins.listen(joined.node, seconds=SCAN_SECONDS)
    return _without_dead_code(view)


async def hand_in_code(w: Wiring, *, node: str, code: str, operator: Operator, seconds: float) -> LoginView:
    """Hand the number to the login that asks for it, and return what came of it within `seconds`.

    What is not judged by then has no message.

    Raises:
        NoWechatLoginError: none does.
        WechatNumberPendingError: one that was handed in before is still looked at.
        BrokerUnavailableError: the broker cannot be reached.
    """
    logins = w.wechat_logins
    view = await logins.last(node)
    if view is None or view.state is not LoginState.NEED_VERIFYCODE or not await goes_on(w, node, view):
        raise NoWechatLoginError
    if view.judging:
        raise WechatNumberPendingError
    _, position = await logins.views(node, view.task_id)
    await logins.send_code(node, view.task_id, code)
    await w.database.run(lambda session: _note(session, view, node=node, operator=operator))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not w.stopping:
        news, position = await logins.views(node, view.task_id, after=position)
        if judged := [each for each in news if not each.judging]:
            return judged[-1]
        await asyncio.sleep(LOOK_SECONDS)
    return view.model_copy(update={"message": ""})  # what it says is of the number before


class _Follower:
    """What one listener has seen so far."""

    def __init__(self, w: Wiring, joined: Joined) -> None:
        self._w = w
        self._joined = joined
        self._after = "-"
        self._shown = False
        self._beat_at = 0.0
        self._newest = joined.view
        self._silent_end = SilentEnd(w, node=joined.node, now=time.monotonic())

    async def beat(self) -> None:
        """Say every few seconds that somebody looks."""
        now = time.monotonic()
        if now - self._beat_at >= min(BEAT_SECONDS, _grace(self._w) / 3):
            self._beat_at = now
            await self._w.wechat_logins.listen(self._joined.node, seconds=_grace(self._w))

    async def news(self) -> list[LoginView]:
        """Return what has come since the last look; at the first, only the newest."""
        views = await self._views()
        if not views and (end := await self._silent_end.look(self._newest, now=time.monotonic())):
            return await self._views() or [end]  # it may have said so in between
        if self._shown:
            return views
        self._shown = True
        return [self._newest]

    async def _views(self) -> list[LoginView]:
        views, self._after = await self._w.wechat_logins.views(
            self._joined.node, self._joined.view.task_id, after=self._after
        )
        self._newest = views[-1] if views else self._newest
        return views


async def _running(w: Wiring, node: str, *, fresh: bool) -> LoginView | None:
    """Return the login that can be joined, None when there is none."""
    view = await w.wechat_logins.last(node)
    if view is None:
        return None
    joinable = _was_just_bound(view) if view.done and not fresh else await goes_on(w, node, view)
    return view if joinable else None


async def _start(w: Wiring, node: str, operator: Operator) -> LoginView:
    try:
        task_id = await w.jobs.submit(LoginWechatJob(), node=node, operator=operator)
    except BaseException:
        await w.wechat_logins.gave_up(node)
        raise
    await w.wechat_logins.started(node, task_id)
    return LoginView(task_id=task_id)


def _note(session: Session, view: LoginView, *, node: str, operator: Operator) -> None:
    events.add(
        session,
        actor=operator.name,
        action="verify_wechat",
        status=EventStatus.SUCCESS,
        target=PLUGIN,
        task_id=view.task_id,
        address=operator.address,
        node=node,
    )


def _was_just_bound(view: LoginView) -> bool:
    went_well = view.done and view.state in SUCCESSES and view.error is None
    return went_well and time.time() - view.at < REMEMBER_SECONDS


def _without_dead_code(view: LoginView) -> LoginView:
    """Return a login without a code that nobody can scan any more: its worker may not have said so."""
    if view.expires_at is None or time.time() < view.expires_at:
        return view
    return view.model_copy(update={"qrcode_url": None, "qrcode_png": None, "expires_at": None})


def _grace(w: Wiring) -> float:
    return w.config.wechat.grace_seconds
