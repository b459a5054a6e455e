"""A broker that is gone fails fast, says so, and loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
from fastapi import FastAPI

from api.acting import claim_silently, finish_silently, row_of
from api.conftest import TOKEN, Api, client_of, serve
from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_common.db import nodes
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually
from fakes.broker import BrokerServer

LIMIT_SECONDS = 5


@pytest.fixture
def app_on_own_broker(
    monkeypatch: pytest.MonkeyPatch, own_broker: BrokerServer, database_url: str
) -> FastAPI:
    monkeypatch.setenv("BUDDY_TOKEN", TOKEN)
    monkeypatch.setenv("BUDDY_REDIS_URL", own_broker.url)
    monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
    return create_app(ApiConfig.from_environment())


@pytest.fixture
async def cut_off(app_on_own_broker: FastAPI, own_broker: BrokerServer) -> AsyncIterator[Api]:
    """An api that has used its broker, which then went away."""
    app = app_on_own_broker
    w = wiring_of(app)
    await w.database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    async with client_of(app, token=TOKEN) as client, client_of(app) as stranger:
        assert (await client.post("/v1/gateway/start")).status_code == 202
        own_broker.stop()
        yield Api(app, w, client, stranger)
    await w.close()


async def test_a_command_is_503_in_time_and_its_row_says_why(cut_off: Api) -> None:
    began = time.monotonic()
    answer = await cut_off.client.post("/v1/gateway/restart")
    seconds = time.monotonic() - began

    assert answer.status_code == 503
    assert seconds < LIMIT_SECONDS
    body = answer.json()
    assert body["data"]["error"] == "broker_unavailable"
    task = (await cut_off.client.get("/v1/tasks/status", params={"taskId": body["data"]["taskID"]})).json()[
        "data"
    ]
    assert task["status"] == "Failed"
    assert task["errorCode"] == "broker_unavailable"
    assert "broker" in task["error"]
    event = (await cut_off.client.get("/v1/system/events")).json()["data"][0]
    assert (event["taskID"], event["status"]) == (task["id"], "failed")


async def test_commands_work_again_when_the_broker_is_back(cut_off: Api, own_broker: BrokerServer) -> None:
    assert (await cut_off.client.post("/v1/gateway/restart")).status_code == 503
    own_broker.start()

    assert (await cut_off.client.post("/v1/gateway/restart")).status_code == 202


async def test_a_key_whose_request_was_not_sent_is_free_again(cut_off: Api, own_broker: BrokerServer) -> None:
    key = {"Idempotency-Key": "a"}
    refused = await cut_off.client.post("/v1/gateway/restart", headers=key)
    own_broker.start()

    answer = await cut_off.client.post("/v1/gateway/restart", headers=key)

    assert (refused.status_code, answer.status_code) == (503, 202)
    assert answer.json()["data"]["taskID"] != refused.json()["data"]["taskID"]


async def test_a_task_can_be_cancelled(cut_off: Api) -> None:
    (task,) = (await cut_off.client.get("/v1/tasks/status")).json()["data"]
    began = time.monotonic()

    answer = await cut_off.client.post(f"/v1/tasks/{task['id']}/cancel")

    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "Cancelled")
    assert time.monotonic() - began < LIMIT_SECONDS


async def test_a_cancel_sees_the_end_of_a_running_task_in_the_row(cut_off: Api) -> None:
    (task,) = (await cut_off.client.get("/v1/tasks/status")).json()["data"]
    await claim_silently(cut_off, task["id"])
    cancelling = asyncio.create_task(cut_off.client.post(f"/v1/tasks/{task['id']}/cancel"))
    await eventually(partial(row_of, cut_off, task["id"]), lambda row: row.cancel_at is not None)

    await finish_silently(cut_off, task["id"], status=TaskStatus.CANCELLED)

    async with asyncio.timeout(LIMIT_SECONDS):
        assert (await cancelling).json()["data"]["status"] == "Cancelled"


async def test_a_stream_of_events_is_fed_from_the_rows(cut_off: Api) -> None:
    (task,) = (await cut_off.client.get("/v1/tasks/status")).json()["data"]
    async with serve(cut_off) as server, server.follow(task["id"]) as stream:
        assert (await stream.next()).data["status"] == "Queued"
        await claim_silently(cut_off, task["id"])
        assert (await stream.next()).data["status"] == "Running"
        await finish_silently(cut_off, task["id"])

        assert [event.name for event in await stream.rest()] == ["task", "done"]


async def test_ready_says_which_part_is_missing(cut_off: Api) -> None:
    answer = await cut_off.client.get("/ready")
    checks = answer.json()["data"]["checks"]
    assert answer.status_code == answer.json()["code"] == 503
    assert answer.json()["data"]["error"] == "not_ready"
    assert checks["broker"]["ok"] is False
    assert checks["database"]["ok"] is True
    assert (await cut_off.client.get("/health")).status_code == 200


async def test_reads_from_the_read_model_are_503(cut_off: Api) -> None:
    answer = await cut_off.client.get("/v1/openclaw/status")
    assert answer.status_code == 503
    assert answer.json()["data"]["error"] == "broker_unavailable"


async def test_login_works_and_stays_limited(cut_off: Api) -> None:
    statuses = [
        (await cut_off.stranger.post("/login", json={"token": "wrong"})).status_code for _ in range(6)
    ]
    assert statuses == [401] * 5 + [429]


async def test_a_wait_falls_back_to_the_row(cut_off: Api) -> None:
    began = time.monotonic()
    task = (await cut_off.client.get("/v1/tasks/status")).json()["data"][0]
    answer = await cut_off.client.get("/v1/tasks/status", params={"taskId": task["id"], "wait": "1"})
    assert answer.status_code == 200
    assert time.monotonic() - began < LIMIT_SECONDS


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/gateway/start"), ("GET", "/v1/openclaw/status")])
async def test_a_frozen_broker_is_told_in_time(
    method: str, path: str, cut_off: Api, own_broker: BrokerServer
) -> None:
    own_broker.start()
    own_broker.freeze()
    began = time.monotonic()
    answer = await cut_off.client.request(method, path)

    assert answer.status_code == 503
    assert answer.json()["data"]["error"] == "broker_unavailable"
    assert time.monotonic() - began < LIMIT_SECONDS
