"""Testing a model: a job of the node; the api dials nobody."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from api.acting import audit, claim, count_rows, finish, messages, row_of
from api.conftest import Api
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually

PATH = "/v1/openclaw/models/test-direct"
BODY = {"providerName": "aliyun", "modelId": "qwen3.5-plus"}


async def ask(api: Api, **outcome: Any) -> httpx.Response:
    """Ask, and play the worker that ends the task so."""

    async def act() -> None:
        found = await eventually(lambda: messages(api), bool)
        task_id = json.loads(found[0])["headers"]["id"]
        await claim(api, task_id)
        await finish(api, task_id, **outcome)

    async with asyncio.timeout(8), asyncio.TaskGroup() as group:
        group.create_task(act())
        return await api.client.post(PATH, json=BODY)


async def test_model_that_answers_is_told_as_the_guide_shows_it(api: Api) -> None:
    result = {"latency": 450, "status": "success", "httpStatus": 200, "reason": None}

    answer = await ask(api, result=result)

    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert {name: data[name] for name in result} == result
    row = await row_of(api, data["taskID"])
    assert row.payload == {"provider": "aliyun", "model": "qwen3.5-plus"}
    event = (await audit(api))[0]
    assert (event["action"], event["target"]) == ("test_direct_models", "aliyun/qwen3.5-plus")


async def test_failure_of_the_provider_is_never_our_status(api: Api) -> None:
    result = {"latency": 12, "status": "failed", "httpStatus": 401, "reason": "HTTP 401 Unauthorized"}

    answer = await ask(api, result=result)

    assert answer.status_code == answer.json()["code"] == 200
    assert answer.json()["data"]["status"] == "failed"
    assert answer.json()["data"]["httpStatus"] == 401


@pytest.mark.parametrize(
    ("slug", "status"),
    [("unknown_provider", 404), ("no_such_model", 404), ("unsupported_api", 400), ("unresolved_key", 409)],
)
async def test_what_cannot_be_tested_says_why(slug: str, status: int, api: Api) -> None:
    answer = await ask(api, status=TaskStatus.FAILED, error="No.", error_code=slug)

    assert (answer.status_code, answer.json()["data"]["error"]) == (status, slug)


@pytest.mark.parametrize("field", ["providerName", "modelId"])
@pytest.mark.parametrize("value", ["", "-x", " x", "a\x00", "a\n", "x" * 201, 5, None, ["a"], {}])
async def test_what_is_no_name_is_400_and_makes_no_task(field: str, value: object, api: Api) -> None:
    answer = await api.client.post(PATH, json=BODY | {field: value})

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == field
    assert await count_rows(api) == 0


async def test_a_target_is_never_longer_than_its_column(api: Api) -> None:
    body = {"providerName": "p" * 200, "modelId": "m" * 200}
    answer = await api.client.post(PATH, json=body, headers={"Prefer": "respond-async"})

    assert len(str((await row_of(api, answer.json()["data"]["taskID"])).target)) == 256
