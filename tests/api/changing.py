"""Changes as clients ask for them, and a worker that ends each with one outcome."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlmodel import select

from api.acting import audit, claim, count_rows, finish, messages, row_of
from api.conftest import Api
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually


async def task_ids(api: Api) -> list[str]:
    return list(await api.wiring.database.run(lambda session: session.exec(select(TaskRow.id)).all()))


@asynccontextmanager
async def worker(api: Api, status: TaskStatus = TaskStatus.COMPLETED, **outcome: Any) -> AsyncIterator[None]:
    """Play a worker that takes the next task and ends it so."""

    async def work() -> None:
        (task_id,) = await eventually(lambda: task_ids(api), bool)
        await eventually(lambda: messages(api), bool)
        await claim(api, task_id)
        await finish(api, task_id, status=status, **outcome)

    working = asyncio.create_task(work())
    try:
        yield
        async with asyncio.timeout(5):
            await working
    finally:
        working.cancel()


async def submitted(api: Api, method: str, path: str, body: Any = None, **headers: str) -> TaskRow:
    """Ask for a change without waiting for it, and return the row of its task."""
    answer = await api.client.request(method, path, json=body, headers={"Prefer": "respond-async", **headers})
    assert answer.status_code == 202, answer.text
    return await row_of(api, str(answer.json()["data"]["taskID"]))


async def send(api: Api, method: str, path: str, body: Any) -> httpx.Response:
    """Send a body whose every character is escaped: halves of surrogate pairs get through only so."""
    content = body if isinstance(body, str) else json.dumps(body)
    return await api.client.request(
        method, path, content=content, headers={"Content-Type": "application/json"}
    )


def assert_named(answer: httpx.Response, field: str) -> None:
    """Check that the answer is 400, and that it names this field and no other, for people and machines."""
    assert answer.status_code == answer.json()["code"] == 400, answer.text
    data = answer.json()["data"]
    assert data["error"] == "invalid_request"
    assert {row["field"] for row in data["fields"]} == {field}, answer.text
    for row in data["fields"]:
        assert f"{field}: {row['problem']}" in answer.json()["message"]


def assert_told(answer: httpx.Response, text: str, status: int = 400) -> None:
    """Check that the answer is this refusal, and that its message has this text."""
    assert answer.status_code == answer.json()["code"] == status, answer.text
    assert text in answer.json()["message"].removeprefix("Invalid request: "), answer.text
    assert answer.json()["data"]["error"]


async def assert_nothing_came_of_it(api: Api) -> None:
    """Check that no task was made, no message was sent, no change was noted."""
    assert await count_rows(api) == 0
    assert await messages(api) == []
    assert await audit(api) == []


async def assert_refused(api: Api, answer: httpx.Response, field: str) -> None:
    """Check that the answer names the field, and that nothing has come of the request."""
    assert_named(answer, field)
    await assert_nothing_came_of_it(api)


async def assert_refused_telling(api: Api, answer: httpx.Response, text: str, status: int = 400) -> None:
    """Check that the answer has this text, and that nothing has come of the request."""
    assert_told(answer, text, status)
    await assert_nothing_came_of_it(api)
