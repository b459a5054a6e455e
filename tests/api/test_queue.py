"""Submitting: what happens between the row and the message."""

import httpx
import pytest

from api.acting import audit, claim_silently, messages, poll, submit
from api.conftest import Api
from buddy_common.adapters import sealed_payloads
from buddy_common.adapters.broker_queue import MAX_MESSAGES
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.bot_file_jobs import MAX_FILE_BYTES

LARGE = "x" * MAX_FILE_BYTES


async def save(api: Api, content: str = LARGE, **headers: str) -> httpx.Response:
    return await api.client.post(
        "/v1/openclaw/bots/file",
        json={"id": "main", "content": content},
        headers={"Prefer": "respond-async"} | headers,
    )


async def sealed_keys(api: Api) -> list[str]:
    return [key async for key in api.wiring.redis.scan_iter("buddy:sealed:*")]


async def test_a_message_that_got_through_although_nobody_said_so_is_no_failure(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker took it and died before its answer: a worker has the task by then."""

    async def send(task_id: str, **_: object) -> None:
        assert await claim_silently(api, task_id) == 1
        raise BrokerUnavailableError("No answer.")

    monkeypatch.setattr(api.wiring.jobs._sender, "send", send)

    task_id = await submit(api)

    assert (await poll(api, task_id)).json()["data"]["status"] == "Running"
    assert [event["status"] for event in await audit(api)] == ["pending"]


async def test_files_for_a_node_without_a_worker_are_429_before_the_broker_is_full(api: Api) -> None:
    answers = [await save(api) for _ in range(12)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {202, 429}
    assert refused[0].json()["data"]["error"] == "queue_full"
    assert int(refused[0].headers["Retry-After"]) > 0
    task = (await poll(api, refused[0].json()["data"]["taskID"])).json()["data"]
    assert (task["status"], task["errorCode"]) == ("Failed", "queue_full")
    assert len(await sealed_keys(api)) == len(await messages(api)) == 12 - len(refused)
    await submit(api)  # what brings no text along still gets in


async def test_who_was_refused_may_come_again_with_the_same_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(sealed_payloads, "NODE_BYTES", 1)
        assert (await save(api, "a")).status_code == 202
        assert (await save(api, "b", **{"Idempotency-Key": "once"})).status_code == 429

    assert (await save(api, "b", **{"Idempotency-Key": "once"})).status_code == 202


async def test_a_cancelled_task_leaves_nothing_sealed(api: Api) -> None:
    for _ in range(10):
        answer = await save(api)
        assert answer.status_code == 202, answer.text
        assert (await api.client.post(f"/v1/tasks/{answer.json()['data']['taskID']}/cancel")).is_success

    assert await sealed_keys(api) == []


async def test_a_task_that_was_given_up_leaves_nothing_sealed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(*_: object, **__: object) -> None:
        raise BrokerUnavailableError("No answer.")

    monkeypatch.setattr(api.wiring.jobs._sender, "send", send)

    assert (await save(api)).status_code == 503
    assert await sealed_keys(api) == []


async def test_messages_that_nobody_takes_are_429_from_a_bound_on(api: Api) -> None:
    await api.wiring.redis.rpush("node.local.fast", *(["{}"] * MAX_MESSAGES))

    answer = await api.client.post("/v1/gateway/restart")

    assert (answer.status_code, answer.json()["data"]["error"]) == (429, "queue_full")
    assert len(await messages(api)) == MAX_MESSAGES
    installing = await api.client.post("/v1/openclaw/plugins/install", json={"spec": "x"})
    assert installing.status_code == 202  # the other lane has room
