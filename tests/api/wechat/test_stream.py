"""A WeChat login as a stream of events; the worker's part is played through Redis."""

import contextlib
from typing import Any

import pytest

from api.acting import count_rows, finish
from api.conftest import Served
from api.wechat.playing import ADDRESS, PATH, begun, listening, say, show_code, told
from buddy_api.usecases import wechat_login
from buddy_api.wechat_listeners import MAX_LISTENERS
from buddy_common.errors import TooManyWechatListenersError
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import ChannelState, LoginState
from eventually import eventually


@pytest.mark.parametrize("way", [{}, {"params": {"stream": "1"}, "headers": {"Accept": "*/*"}}])
async def test_stream_tells_each_state_each_code_and_the_end(served: Served, way: dict[str, Any]) -> None:
    api = served.api
    async with listening(served, **way) as reader:
        first = await reader.next()
        task_id = await begun(api)
        await show_code(api, task_id)
        code = await reader.until("qrcode")
        await say(api, task_id, LoginState.EXPIRED)
        await show_code(api, task_id, 2)
        again = await reader.until("qrcode")
        await say(api, task_id, LoginState.SCANNED, number=2, qrcode_url=ADDRESS)
        await say(api, task_id, LoginState.CONFIRMED)
        await say(api, task_id, LoginState.CONFIRMED, done=True, account="a", channel=ChannelState.RUNNING)
        rest = await reader.rest()

    assert (first.name, first.data["state"], first.id, first.retry) == ("status", "starting", task_id, 2000)
    assert told(code) == [("status", "waiting_scan"), ("qrcode", "waiting_scan")]
    assert (code[-1].data["qrcode_url"], code[-1].data["qrcode_png"][:15]) == (ADDRESS, "data:image/png;")
    assert told(again) == [("status", "expired"), ("status", "waiting_scan"), ("qrcode", "waiting_scan")]
    assert "mockqr2" in again[-1].data["qrcode_url"]
    # what came before the end may be gone with its codes
    assert told(rest)[-2:] == [("status", "confirmed"), ("done", "confirmed")]
    assert (rest[-1].data["account"], rest[-1].data["channel"]) == ("a", "running")


async def test_late_listener_gets_what_is_true_now(served: Served) -> None:
    api = served.api
    async with listening(served) as early:
        await early.next()
        task_id = await begun(api)
        await say(api, task_id, LoginState.STARTING)
        await show_code(api, task_id)
        await early.until("qrcode")
        async with listening(served) as late:
            assert told([await late.next(), await late.next()]) == [
                ("status", "waiting_scan"),
                ("qrcode", "waiting_scan"),
            ]
    assert await count_rows(api) == 1


async def test_quiet_stream_gives_signs_of_life(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buddy_api.wechat_events.HEARTBEAT_SECONDS", 0.05)
    async with listening(served) as reader:
        await reader.next()
        assert (await reader.next()).comment == ": heartbeat"


async def test_listener_that_has_left_keeps_no_login_alive(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = served.api
    monkeypatch.setattr(wechat_login, "_grace", lambda _: 0.3)
    async with listening(served) as reader:
        await reader.next()
        assert await api.wiring.wechat_logins.is_listened_to("local")

    async def looked_at() -> bool:
        return await api.wiring.wechat_logins.is_listened_to("local")

    await eventually(looked_at, lambda seen: not seen)


async def test_stream_that_reconnects_after_its_login_has_ended_is_told_to_stop(served: Served) -> None:
    api = served.api
    async with listening(served) as reader:
        await reader.next()
        task_id = await begun(api)
        await say(api, task_id, LoginState.TIMEOUT, done=True)
        assert (await reader.rest())[-1].id == f"{task_id}:done"
    await finish(api, task_id, status=TaskStatus.FAILED)

    for event_id in (f"{task_id}:done", "task-of-long-ago"):
        headers = {"Accept": "text/event-stream", "Last-Event-ID": event_id}
        assert (await served.client.get(PATH, headers=headers)).status_code == 204
    assert await count_rows(api) == 1


async def test_stream_that_was_cut_off_before_the_end_is_told_it(served: Served) -> None:
    api = served.api
    async with listening(served) as reader:
        await reader.next()
        task_id = await begun(api)
    await say(api, task_id, LoginState.TIMEOUT, done=True, error="wechat_login_timeout")
    await finish(api, task_id, status=TaskStatus.FAILED)

    async with listening(served, headers={"Last-Event-ID": task_id}) as reader:
        assert told(await reader.rest()) == [("status", "timeout"), ("done", "timeout")]
    assert await count_rows(api) == 1


async def test_more_listeners_than_there_may_be_are_refused_and_start_nothing(served: Served) -> None:
    api = served.api
    listeners = api.wiring.wechat_listeners
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_LISTENERS - 1):
            stack.enter_context(listeners.enter())
        async with listening(served) as reader:
            await reader.next()
            answer = await served.client.get(PATH, params={"stream": "true"})

        assert (answer.status_code, answer.json()["data"]["error"]) == (429, "too_many_wechat_listeners")
        assert await count_rows(api) == 1

        async def has_room() -> bool:
            try:
                listeners.require_room()
            except TooManyWechatListenersError:
                return False
            return True

        await eventually(has_room, bool)  # whoever has left makes some


async def test_stream_that_reconnects_goes_on_with_its_login(served: Served) -> None:
    api = served.api
    async with listening(served) as reader:
        await reader.next()
    task_id = await begun(api)
    await show_code(api, task_id)

    async with listening(served, headers={"Last-Event-ID": task_id}) as reader:
        assert (await reader.next()).data["state"] == "waiting_scan"
    assert await count_rows(api) == 1
