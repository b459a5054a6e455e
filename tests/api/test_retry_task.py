"""Trying again what did not complete."""

import httpx
import pytest
from sqlmodel import Session, select

from api.acting import audit, count_rows, messages, poll, row_of, run_to, submit
from api.conftest import Api
from buddy_common.db import nodes
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.tasks import TaskStatus

RETRYABLE = [TaskStatus.FAILED, TaskStatus.TIMEOUT, TaskStatus.CANCELLED, TaskStatus.INTERRUPTED]


async def retry(api: Api, task_id: str, **headers: str) -> httpx.Response:
    return await api.client.post(f"/v1/tasks/{task_id}/retry", headers=headers)


async def change(api: Api, task_id: str, **columns: object) -> None:
    def work(session: Session) -> None:
        row = session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()
        for name, value in columns.items():
            setattr(row, name, value)

    await api.wiring.database.run(work)


@pytest.mark.parametrize("status", RETRYABLE)
async def test_a_task_that_did_not_complete_is_tried_again_as_a_new_one(status: TaskStatus, api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, status)

    answer = await retry(api, task_id)

    body = answer.json()
    assert answer.status_code == body["code"] == 202
    assert body["message"] == "Retry initiated"
    new_id = body["data"]["taskID"]
    assert new_id != task_id
    task = (await poll(api, new_id)).json()["data"]
    assert (task["status"], task["retryOf"], task["name"]) == ("Queued", task_id, "Restart gateway")
    assert (await poll(api, task_id)).json()["data"]["status"] == status
    assert new_id in (await messages(api))[0]


async def test_the_new_task_has_the_payload_and_the_node_of_the_old_one(api: Api) -> None:
    await api.wiring.database.run(lambda s: nodes.touch(s, "other", hostname="there"))
    first = await api.client.post("/v1/gateway/stop", params={"node": "other"}, json={"force": True})
    task_id = first.json()["data"]["taskID"]
    await run_to(api, task_id, TaskStatus.FAILED)

    new_id = (await retry(api, task_id)).json()["data"]["taskID"]

    row = await row_of(api, new_id)
    assert (row.kind, row.node, row.payload) == ("buddy.gateway.stop", "other", {"force": True})
    assert len(await messages(api, "node.other.fast")) == 2


async def test_the_audit_has_the_new_task(api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, TaskStatus.FAILED)

    new_id = (await retry(api, task_id)).json()["data"]["taskID"]

    newest = (await audit(api))[0]
    assert (newest["action"], newest["status"], newest["taskID"]) == ("restart_gateway", "pending", new_id)


async def test_what_was_tried_again_can_be_tried_again(api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, TaskStatus.FAILED)
    second = (await retry(api, task_id)).json()["data"]["taskID"]
    await run_to(api, second, TaskStatus.TIMEOUT)

    third = (await retry(api, second)).json()["data"]["taskID"]

    assert (await row_of(api, third)).retry_of == second


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.QUEUED, TaskStatus.RUNNING])
async def test_a_task_that_completed_or_has_not_ended_is_409(status: TaskStatus, api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, status)

    answer = await retry(api, task_id)

    assert answer.status_code == answer.json()["code"] == 409
    assert answer.json()["data"] == {"error": "task_not_retryable", "status": status}
    assert task_id in answer.json()["message"]
    assert await count_rows(api) == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"kind": "buddy.gateway.explode"}, "buddy.gateway.explode"), ({"payload": {"force": "x"}}, "force")],
)
async def test_a_task_of_another_version_is_409_and_says_what_is_wrong(
    columns: dict[str, object], reason: str, api: Api
) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, TaskStatus.FAILED)
    await change(api, task_id, **columns)

    answer = await retry(api, task_id)

    assert answer.status_code == 409
    assert answer.json()["data"]["error"] == "task_not_retryable"
    assert reason in answer.json()["message"]
    assert await count_rows(api) == 1


async def test_an_unknown_task_is_404(api: Api) -> None:
    answer = await retry(api, "task-0-0")
    assert answer.status_code == 404
    assert answer.json()["data"]["error"] == "unknown_task"


async def test_a_repeat_with_the_same_key_makes_no_second_new_task(api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, TaskStatus.FAILED)
    key = {"Idempotency-Key": "again"}

    first, second = await retry(api, task_id, **key), await retry(api, task_id, **key)

    assert second.status_code == 202
    assert second.json() == first.json()
    assert await count_rows(api) == 2


async def test_the_key_of_the_first_request_does_not_give_the_failed_task_back(api: Api) -> None:
    key = {"Idempotency-Key": "restart-please"}
    task_id = await submit(api, **key)
    await run_to(api, task_id, TaskStatus.FAILED)

    answer = await retry(api, task_id, **key)

    assert answer.status_code == 409
    assert answer.json()["data"] == {"error": "idempotency_conflict", "taskID": task_id}
