"""A WeChat login whose worker, or whole node, is gone: nobody is shown a dead code, or waits for ever."""

import time

import pytest

from api.acting import count_rows
from api.conftest import Api, Served
from api.wechat.playing import PATH, asking, begun, listening, only_task, say, show_code, told
from buddy_api.routers import wechat
from buddy_api.usecases import judge_wechat_login
from buddy_api.usecases.judge_wechat_login import GONE_SECONDS, SilentEnd
from buddy_common.schemas.job import Lane
from buddy_common.schemas.wechat import LoginState, LoginView


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One shot does not wait for what never comes."""
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.3)
    monkeypatch.setattr(judge_wechat_login, "LOOK_SECONDS", 0.02)


async def leave(api: Api) -> None:
    await api.wiring.presence.leave("local", Lane.SLOW, "here:1")


async def come_back(api: Api) -> None:
    await api.wiring.presence.beat("local", Lane.SLOW, "here:2")


async def test_code_of_a_worker_that_is_gone_is_handed_out_to_nobody(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "SILENT_SECONDS", 0.0)
    await api.client.get(PATH)
    task_id = await begun(api)
    await show_code(api, task_id)
    await leave(api)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["qrcode_url"], data["cached"], data["taskID"] == task_id) == (None, False, False)


async def test_code_that_is_too_old_is_handed_out_to_nobody(api: Api) -> None:
    await api.client.get(PATH)
    task_id = await begun(api)
    await show_code(api, task_id, expires_at=time.time() - 1200)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["qrcode_url"], data["qrcode_png"], data["expires_at"]) == (None, None, None)
    assert (data["taskID"], data["state"]) == (task_id, "waiting_scan")


async def test_code_that_is_too_old_is_in_no_stream(served: Served) -> None:
    api = served.api
    async with listening(served) as reader:
        await reader.next()
        task_id = await begun(api)
        await show_code(api, task_id, expires_at=time.time() - 1200)
        shown = await reader.next()
        await say(api, task_id, LoginState.TIMEOUT, done=True)
        rest = await reader.rest()

    assert told([shown, *rest]) == [("status", "waiting_scan"), ("status", "timeout"), ("done", "timeout")]


async def test_number_for_a_worker_that_is_gone_is_a_conflict(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "SILENT_SECONDS", 0.0)
    await api.client.get(PATH)
    await say(api, await begun(api), LoginState.NEED_VERIFYCODE)
    await leave(api)

    answer = await api.client.post(f"{PATH}/verify", json={"code": "1"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "no_verifycode_wanted")


async def test_login_whose_worker_was_only_not_heard_of_for_a_moment_is_joined(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "SILENT_SECONDS", 5.0)
    await api.client.get(PATH)
    task_id = await begun(api)
    await show_code(api, task_id)
    await leave(api)
    async with asking(api) as answering:
        await come_back(api)
        data = (await answering).json()["data"]

    assert (data["taskID"], data["cached"]) == (task_id, True)


async def test_login_that_waits_for_a_worker_that_is_started_anew_is_joined(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_wechat_login, "SILENT_SECONDS", 0.0)
    await api.client.get(PATH)
    await leave(api)

    data = (await api.client.get(PATH)).json()["data"]

    assert (data["state"], data["cached"]) == ("starting", True)
    assert await count_rows(api) == 1


@pytest.mark.parametrize("claimed", [True, False])
async def test_stream_ends_once_the_worker_has_been_gone_for_long(
    served: Served, monkeypatch: pytest.MonkeyPatch, *, claimed: bool
) -> None:
    monkeypatch.setattr(judge_wechat_login, "ROW_SECONDS", 0.05)
    monkeypatch.setattr(judge_wechat_login, "GONE_SECONDS", 0.1)
    api = served.api
    async with listening(served) as reader:
        await reader.next()
        await (begun(api) if claimed else only_task(api))
        await leave(api)
        rest = await reader.rest()

    assert told(rest) == [("status", "error"), ("done", "error")]
    assert (rest[-1].data["error"], "No worker of 'local'" in rest[-1].data["message"]) == (
        "interrupted",
        True,
    )


async def test_worker_that_is_away_for_a_while_ends_no_login(api: Api) -> None:
    await api.client.get(PATH)
    view, end = LoginView(task_id=await begun(api)), SilentEnd(api.wiring, node="local", now=0.0)
    await leave(api)
    before = [await end.look(view, now=now) for now in (1.0, 3.0, 2.0 + GONE_SECONDS)]
    await come_back(api)
    back = await end.look(view, now=10.0 + GONE_SECONDS)
    await api.wiring.presence.leave("local", Lane.SLOW, "here:2")

    again = [await end.look(view, now=20.0 + GONE_SECONDS + more) for more in (0.0, GONE_SECONDS - 1)]
    gone = await end.look(view, now=22.0 + GONE_SECONDS * 2 + 1)

    assert [*before, back, *again] == [None] * 6
    assert gone is not None
    assert (gone.done, gone.error) == (True, "interrupted")
