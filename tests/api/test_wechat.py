"""The routes of the WeChat channel; the worker's part is played through Redis."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.acting import audit, claim, count_rows, finish, messages, row_of
from api.changing import assert_refused, submitted, task_ids, worker
from api.conftest import ORIGIN, TOKEN, Api, Served
from api.sse import Event, EventReader
from buddy_api.routers import wechat
from buddy_api.usecases import wechat_login
from buddy_api.usecases.wechat_login import Joined
from buddy_api.wechat_listeners import MAX_LISTENERS
from buddy_common.adapters.access import COOKIE
from buddy_common.errors import TooManyWechatListenersError
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import ChannelState, LoginState, LoginView
from eventually import eventually

PATH = "/v1/wechat/qrcode"
ADDRESS = "https://liteapp.weixin.qq.com/q/mock?qrcode=mockqr1&bot_type=3"
SLOW = "node.local.slow"


@pytest.fixture(autouse=True)
async def installed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node says that the plugin is there and on."""
    monkeypatch.setattr(wechat_login, "LOOK_SECONDS", 0.02)
    await report(api)


async def report(api: Api, **changes: Any) -> None:
    status = {
        "installed": True, "enabled": True, "configured": False, "pluginVersion": "2.4.9", "accounts": [],
    } | changes  # fmt: skip
    await api.wiring.read_model.put(
        "local", Resource.WECHAT, json.dumps(status), source="rpc", fresh_seconds=60
    )


async def say(api: Api, task_id: str, state: LoginState, **more: Any) -> None:
    """Say what the worker's login says."""
    view = LoginView(task_id=task_id, state=state, at=time.time(), **more)
    await api.wiring.wechat_logins.publish("local", view)


async def show_code(api: Api, task_id: str, number: int = 1) -> None:
    await say(
        api,
        task_id,
        LoginState.WAITING_SCAN,
        qrcode_url=ADDRESS.replace("mockqr1", f"mockqr{number}"),
        qrcode_png="data:image/png;base64,AAAA",
        expires_at=1_774_663_500.0,
        number=number,
    )


async def only_task(api: Api) -> str:
    (task_id,) = await eventually(lambda: task_ids(api), bool)
    await eventually(lambda: messages(api, SLOW), bool)
    return task_id


async def begun(api: Api) -> str:
    """Return the login's task once a worker has claimed it."""
    task_id = await only_task(api)
    await claim(api, task_id)
    return task_id


@asynccontextmanager
async def asking(api: Api, **more: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    asking = asyncio.create_task(api.client.get(PATH, **more))
    try:
        yield asking
    finally:
        asking.cancel()


@asynccontextmanager
async def listening(served: Served, **more: Any) -> AsyncIterator[EventReader]:
    headers = {"Accept": "text/event-stream", **more.pop("headers", {})}
    async with served.client.stream("GET", PATH, headers=headers, **more) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventReader(response)


def told(events: list[Event]) -> list[tuple[str | None, Any]]:
    return [(event.name, event.data["state"]) for event in events if event.comment is None]


async def test_installation_is_a_job_of_the_slow_lane(api: Api) -> None:
    answer = await api.client.post("/v1/wechat/install")

    assert (answer.status_code, answer.json()["code"]) == (202, 202)
    row = await row_of(api, answer.json()["data"]["taskID"])
    assert (row.kind, row.module, row.action) == ("buddy.wechat.install", "wechat", "install")
    assert await messages(api, SLOW) != []


async def test_account_is_unbound_by_a_job(api: Api) -> None:
    row = await submitted(api, "DELETE", "/v1/wechat/accounts/b0f5860fdecb-im-bot")

    assert (row.kind, row.target) == ("buddy.wechat.unbind", "b0f5860fdecb-im-bot")


async def test_unbound_account_is_told_in_the_answer(api: Api) -> None:
    async with worker(api, result={"account": "a", "left": []}):
        answer = await api.client.delete("/v1/wechat/accounts/a")

    assert answer.status_code == 200
    assert (answer.json()["data"]["status"], answer.json()["data"]["message"]) == (
        "success",
        "微信账号已解绑",
    )


async def test_account_that_is_not_bound_is_404(api: Api) -> None:
    async with worker(api, TaskStatus.FAILED, error="no", error_code="unknown_wechat_account"):
        answer = await api.client.delete("/v1/wechat/accounts/a")

    assert (answer.status_code, answer.json()["data"]["error"]) == (404, "unknown_wechat_account")


@pytest.mark.parametrize("account", ["-x", "a..b", ".a", "a%00b", "a b", "x" * 129])
async def test_name_that_is_no_accounts_is_refused(api: Api, account: str) -> None:
    await assert_refused(api, await api.client.delete(f"/v1/wechat/accounts/{account}"), "id")


async def test_one_shot_answers_with_the_code(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await show_code(api, task_id)
        answer = await answering

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()["data"]
    assert data == {
        "qrcode_url": ADDRESS,
        "qrcode_png": "data:image/png;base64,AAAA",
        "state": "waiting_scan",
        "expires_at": "2026-03-28T02:05:00Z",
        "cached": False,
        "taskID": task_id,
        "message": "",
        "account": None,
        "channel": None,
    }


async def test_second_request_joins_the_same_login(api: Api) -> None:
    async with asking(api) as first, asking(api) as second:
        task_id = await begun(api)
        await show_code(api, task_id)
        answers = [(await each).json()["data"] for each in (first, second)]
    third = (await api.client.get(PATH)).json()["data"]

    assert sorted(answer["cached"] for answer in answers) == [False, True]
    assert third["cached"] is True
    assert {answer["taskID"] for answer in (*answers, third)} == {task_id}
    assert await count_rows(api) == 1


async def test_login_that_somebody_starts_between_look_and_turn_is_joined(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.1)
    logins = api.wiring.wechat_logins
    may_start = logins.may_start

    async def late(node: str) -> bool:
        monkeypatch.setattr(logins, "may_start", may_start)
        await api.client.get(PATH)
        return await may_start(node)

    monkeypatch.setattr(logins, "may_start", late)

    data = (await api.client.get(PATH)).json()["data"]

    assert data["cached"] is True
    assert await count_rows(api) == 1
    assert await may_start("local")


async def test_login_is_audited_and_its_row_knows_nothing_of_the_code(api: Api) -> None:
    async with asking(api) as answering:
        await show_code(api, await begun(api))
        await answering

    (event,) = await audit(api)
    assert (event["action"], event["target"]) == ("login_wechat", "openclaw-weixin")
    row = await row_of(api, event["taskID"])
    assert "mockqr" not in row.model_dump_json()


async def test_one_shot_gives_up_after_its_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.2)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["state"], data["qrcode_url"], data["expires_at"]) == ("starting", None, None)


async def test_code_that_was_fetched_once_gets_time_to_be_scanned(api: Api) -> None:
    async with asking(api) as answering:
        await show_code(api, await begun(api))
        await answering

    assert await api.wiring.redis.pttl("buddy:local:wechat:listening") > 200_000


async def test_login_that_went_well_is_told_to_who_asks_again(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await show_code(api, task_id)
        await answering
    await say(api, task_id, LoginState.CONFIRMED, done=True, account="a-im-bot", channel=ChannelState.RUNNING)
    await finish(api, task_id)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["state"], data["account"], data["channel"]) == ("confirmed", "a-im-bot", "running")
    assert await count_rows(api) == 1


async def test_another_login_is_started_at_once_where_that_is_asked_for(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.CONFIRMED, done=True)
        await answering
    await finish(api, task_id)
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.1)

    data = (await api.client.get(PATH, params={"fresh": "true"})).json()["data"]

    assert (data["state"], data["cached"], data["taskID"] == task_id) == ("starting", False, False)


@pytest.mark.parametrize(
    ("slug", "status"),
    [("wechat_login_timeout", 504), ("wechat_login_failed", 502), ("wechat_not_installed", 409)],
)
async def test_login_that_fails_while_somebody_waits_is_a_failure(api: Api, slug: str, status: int) -> None:
    async with asking(api) as answering:
        await say(api, await begun(api), LoginState.ERROR, done=True, error=slug, message="why")
        answer = await answering

    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert (answer.json()["message"], answer.json()["data"]["error"]) == ("why", slug)


async def test_next_request_after_a_failed_login_starts_another(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.TIMEOUT, done=True, error="wechat_login_timeout")
        await answering
    await finish(api, task_id, status=TaskStatus.FAILED)
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.1)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["cached"], data["taskID"] == task_id) == (False, False)


async def test_login_whose_worker_died_is_told_by_its_row(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechat_login, "ROW_SECONDS", 0.05)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.STARTING)
        await finish(
            api, task_id, status=TaskStatus.INTERRUPTED, error="Its worker died.", error_code="interrupted"
        )
        answer = await answering

    assert (answer.status_code, answer.json()["message"]) == (503, "Its worker died.")


async def test_login_that_went_well_while_the_broker_was_away_is_told_by_its_row(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_login, "ROW_SECONDS", 0.05)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.STARTING)
        await finish(api, task_id, result={"state": "confirmed", "account": "a", "channel": "running"})
        answer = await answering

    data = answer.json()["data"]
    assert (data["state"], data["account"], data["channel"]) == ("confirmed", "a", "running")


@pytest.mark.parametrize("changes", [{"installed": False, "enabled": False}, {"enabled": False}])
async def test_without_the_plugin_the_answer_says_to_install_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, changes: dict[str, bool]
) -> None:
    await report(api, **changes)
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.1)

    answer = await api.client.get(PATH)

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "wechat_not_installed")
    assert "POST /v1/wechat/install" in answer.json()["message"]
    assert await count_rows(api) == 0


async def test_stranger_starts_nothing(api: Api) -> None:
    answer = await api.stranger.get(PATH)

    assert answer.status_code == 401
    assert await count_rows(api) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Referer": "http://evil.example/buddy.test"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": ORIGIN}, 200),
        ({"Referer": f"{ORIGIN}/panel"}, 200),
    ],
)
async def test_cookie_starts_a_login_from_our_own_pages_only(
    api: Api, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.1)

    answer = await api.stranger.get(PATH, headers={**headers, "Cookie": f"{COOKIE}={TOKEN}"})

    assert answer.status_code == status, answer.text
    assert await count_rows(api) == (1 if status == 200 else 0)


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


async def test_all_that_a_one_shot_waits_for_has_one_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, left = [100.0], []

    async def join(*_: Any, **__: Any) -> Joined:
        clock[0] += 21.0
        return Joined("local", LoginView(task_id="t"), cached=False)

    async def wait(_: Any, joined: Joined, *, seconds: float) -> LoginView:
        left.append(seconds)
        return joined.view

    monkeypatch.setattr(wechat, "monotonic", lambda: clock[0])
    monkeypatch.setattr(wechat, "join_login", join)
    monkeypatch.setattr(wechat, "await_code", wait)

    await api.client.get(PATH)

    assert left == [wechat.CODE_SECONDS - 21.0]


async def test_login_that_was_confirmed_but_does_not_run_is_a_failure(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(
            api,
            task_id,
            LoginState.CONFIRMED,
            done=True,
            error="wechat_channel_failed",
            message="not running",
        )
        answer = await answering

    assert (answer.status_code, answer.json()["data"]["state"]) == (502, "confirmed")


async def test_page_asks_our_own_origin_only_and_says_where_it_asks_from(api: Api) -> None:
    page = await api.stranger.get("/wechat")

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    script = page.text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert "connect-src 'self'" in policy
    assert page.headers["referrer-policy"] == "same-origin"  # else a cookie counts for nothing without TLS
    assert set(LoginState) <= set(re.findall(r"^  (\w+): ", script, re.MULTILINE))


async def test_stream_that_reconnects_goes_on_with_its_login(served: Served) -> None:
    api = served.api
    async with listening(served) as reader:
        await reader.next()
    task_id = await begun(api)
    await show_code(api, task_id)

    async with listening(served, headers={"Last-Event-ID": task_id}) as reader:
        assert (await reader.next()).data["state"] == "waiting_scan"
    assert await count_rows(api) == 1


async def test_number_is_handed_in_and_what_came_of_it_is_told(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.NEED_VERIFYCODE)
        assert (await answering).json()["data"]["state"] == "need_verifycode"
    verifying = asyncio.create_task(api.client.post(f"{PATH}/verify", json={"code": "0815"}))
    logins = api.wiring.wechat_logins
    code = await eventually(lambda: logins.take_code("local", task_id), bool)
    await say(api, task_id, LoginState.SCANNED)
    answer = await verifying

    assert code == "0815"
    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "scanned")
    newest = (await audit(api))[0]
    assert (newest["action"], newest["taskID"]) == ("verify_wechat", task_id)
    assert "0815" not in json.dumps(newest)


async def test_number_that_nobody_asked_for_is_a_conflict(api: Api) -> None:
    answer = await api.client.post(f"{PATH}/verify", json={"code": "1"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "no_verifycode_wanted")


@pytest.mark.parametrize("code", ["", "12a", "1" * 13, "1\n2", 12, None])
async def test_number_that_is_none_is_refused(api: Api, code: Any) -> None:
    await assert_refused(api, await api.client.post(f"{PATH}/verify", json={"code": code}), "code")
