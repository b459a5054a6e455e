"""Tasks as clients poll them."""

import asyncio
import time
from functools import partial

import pytest

from api.acting import audit, claim, finish, messages, poll, submit
from api.conftest import Api
from eventually import eventually


async def test_a_command_answers_202_with_a_task_that_can_be_polled(api: Api) -> None:
    answer = await api.client.post("/v1/gateway/restart")
    body = answer.json()
    assert answer.status_code == body["code"] == 202
    assert body["message"] == "Restart command initiated"

    task = (await poll(api, body["data"]["taskID"])).json()["data"]

    assert task["id"] == task["taskID"] == body["data"]["taskID"]
    assert task["status"] == "Queued"
    assert (task["module"], task["action"], task["node"]) == ("gateway", "restart", "local")
    assert task["actor"] == "admin"
    assert task["queuedAt"].endswith("Z")
    assert (task["attempts"], task["retryOf"]) == (0, None)


@pytest.mark.parametrize("name", ["taskId", "taskID", "task_id"])
async def test_a_task_is_found_under_each_spelling_of_the_parameter(name: str, api: Api) -> None:
    task_id = await submit(api)
    answer = await api.client.get("/v1/tasks/status", params={name: task_id})
    assert answer.json()["data"]["id"] == task_id


async def test_the_message_carries_the_tasks_id_and_goes_to_the_nodes_fast_lane(api: Api) -> None:
    task_id = await submit(api)
    (message,) = await messages(api)
    assert f'"id": "{task_id}"' in message


async def test_wait_returns_as_soon_as_the_task_changes(api: Api) -> None:
    task_id = await submit(api)
    waiting = asyncio.create_task(poll(api, task_id, wait="30"))
    clients = partial(api.wiring.redis.info, "clients")
    await eventually(clients, lambda info: info["blocked_clients"] > 0)  # now it waits
    began = time.monotonic()
    await claim(api, task_id)
    async with asyncio.timeout(5):
        answer = await waiting

    assert answer.json()["data"]["status"] == "Running"
    assert time.monotonic() - began < 5


async def test_wait_with_an_etag_misses_no_change_made_between_two_polls(api: Api) -> None:
    task_id = await submit(api)
    tag = (await poll(api, task_id)).headers["etag"]
    await claim(api, task_id)

    async with asyncio.timeout(5):
        answer = await api.client.get(
            "/v1/tasks/status",
            params={"taskId": task_id, "wait": "30"},
            headers={"If-None-Match": tag},
        )

    assert answer.json()["data"]["status"] == "Running"


async def test_wait_on_a_finished_task_returns_at_once(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    await finish(api, task_id, result={"pid": 1})

    async with asyncio.timeout(5):
        answer = await poll(api, task_id, wait="60")

    assert answer.json()["data"]["result"] == {"pid": 1}


async def test_wait_ends_when_the_time_is_up(api: Api) -> None:
    task_id = await submit(api)
    began = time.monotonic()
    answer = await poll(api, task_id, wait="1")

    assert answer.json()["data"]["status"] == "Queued"
    assert 0.9 < time.monotonic() - began < 5


async def test_an_unchanged_task_is_304(api: Api) -> None:
    task_id = await submit(api)
    tag = (await poll(api, task_id)).headers["etag"]
    answer = await api.client.get(
        "/v1/tasks/status", params={"taskId": task_id}, headers={"If-None-Match": f'"x", W/{tag}'}
    )
    assert answer.status_code == 304
    assert answer.content == b""


async def test_the_list_is_newest_first_filtered_and_paged(api: Api) -> None:
    ids = [await submit(api, action) for action in ("start", "stop", "restart", "start")]
    await claim(api, ids[0])
    await finish(api, ids[0])

    async def listed(**query: str) -> list[str]:
        answer = await api.client.get("/v1/tasks/status", params=query)
        return [task["id"] for task in answer.json()["data"]]

    newest_first = list(reversed(ids))
    assert await listed() == newest_first
    assert await listed(status="Completed") == [ids[0]]
    assert await listed(module="gateway", limit="2") == newest_first[:2]
    assert await listed(limit="2", before=newest_first[1]) == newest_first[2:]
    assert await listed(module="plugins") == []
    assert await listed(before="task-0") == []


async def test_every_change_leaves_an_event(api: Api) -> None:
    task_id = await submit(api, "stop")
    (event,) = await audit(api)
    assert event["action"] == "stop_gateway"
    assert (event["user"], event["status"], event["taskID"]) == ("admin", "pending", task_id)
    assert event["address"] == "203.0.113.7"


async def test_events_are_filtered_and_paged(api: Api) -> None:
    for action in ("start", "stop", "restart"):
        await submit(api, action)

    async def listed(**query: str) -> list[str]:
        return [event["action"] for event in await audit(api, **query)]

    everything = await audit(api)
    assert await listed() == ["restart_gateway", "stop_gateway", "start_gateway"]
    assert await listed(action="stop_gateway") == ["stop_gateway"]
    assert await listed(user="nobody") == []
    assert await listed(limit="1", before=str(everything[0]["id"])) == ["stop_gateway"]
    assert await listed(since="2099-01-01T00:00:00Z") == []
