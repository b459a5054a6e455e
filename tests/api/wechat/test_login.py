"""A WeChat login in one shot; the worker's part is played through Redis."""

import asyncio
import json
from typing import Any

import pytest

from api.acting import audit, count_rows, finish
from api.changing import assert_refused
from api.conftest import Api
from api.wechat.playing import (
    ADDRESS,
    PATH,
    asking,
    begun,
    say,
    show_code,
)
from buddy_api.routers import wechat
from buddy_api.usecases import judge_wechat_login
from buddy_api.usecases.wechat_login import Joined
from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import ChannelState, LoginState, LoginView
from eventually import eventually


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
        "expires_at": "2100-01-01T00:00:00Z",
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
    monkeypatch.setattr(judge_wechat_login, "ROW_SECONDS", 0.05)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.STARTING)
        await finish(
            api, task_id, status=TaskStatus.INTERRUPTED, error="Its worker died.", error_code="interrupted"
        )
        answer = await answering

    assert (answer.status_code, answer.json()["message"]) == (503, "Its worker died.")


async def test_login_whose_worker_died_after_wechat_had_confirmed_it_stays_confirmed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "ROW_SECONDS", 0.05)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.CONFIRMED)
        await finish(
            api, task_id, status=TaskStatus.INTERRUPTED, error="Its worker died.", error_code="interrupted"
        )
        answer = await answering

    data = answer.json()["data"]
    assert (answer.status_code, data["state"], data["error"]) == (503, "confirmed", "interrupted")


async def test_login_that_went_well_while_the_broker_was_away_is_told_by_its_row(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "ROW_SECONDS", 0.05)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.STARTING)
        await finish(api, task_id, result={"state": "confirmed", "account": "a", "channel": "running"})
        answer = await answering

    data = answer.json()["data"]
    assert (data["state"], data["account"], data["channel"]) == ("confirmed", "a", "running")


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


async def test_number_is_handed_in_and_what_came_of_it_is_told(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.NEED_VERIFYCODE)
        assert (await answering).json()["data"]["state"] == "need_verifycode"
    verifying = asyncio.create_task(api.client.post(f"{PATH}/verify", json={"code": "0815"}))
    logins = api.wiring.wechat_logins
    code = await eventually(lambda: logins.take_code("local", task_id), bool)
    await say(api, task_id, LoginState.NEED_VERIFYCODE, judging=True)
    await say(api, task_id, LoginState.SCANNED)
    answer = await verifying

    assert code == "0815"
    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "scanned")
    newest = (await audit(api))[0]
    assert (newest["action"], newest["taskID"]) == ("verify_wechat", task_id)
    assert "0815" not in json.dumps(newest)


async def test_number_that_nobody_has_looked_at_in_time_is_not_called_wrong(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat, "ANSWER_SECONDS", 0.3)
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.NEED_VERIFYCODE, message="The number was not the right one")
        await answering
    data = (await api.client.post(f"{PATH}/verify", json={"code": "0815"})).json()["data"]

    assert (data["state"], data["message"]) == ("need_verifycode", "验证码已提交")


async def test_number_while_another_is_looked_at_is_a_conflict(api: Api) -> None:
    async with asking(api) as answering:
        task_id = await begun(api)
        await say(api, task_id, LoginState.NEED_VERIFYCODE, judging=True)
        await answering

    answer = await api.client.post(f"{PATH}/verify", json={"code": "1"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "verifycode_pending")
    assert await api.wiring.wechat_logins.take_code("local", task_id) is None


async def test_number_that_nobody_asked_for_is_a_conflict(api: Api) -> None:
    answer = await api.client.post(f"{PATH}/verify", json={"code": "1"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "no_verifycode_wanted")


@pytest.mark.parametrize("code", ["", "12a", "1" * 13, "1\n2", 12, None])
async def test_number_that_is_none_is_refused(api: Api, code: Any) -> None:
    await assert_refused(api, await api.client.post(f"{PATH}/verify", json={"code": code}), "code")
