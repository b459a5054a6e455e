"""Asking as a client does, and the worker's part, played by the repository."""

from typing import Any

import httpx
from sqlmodel import Session, select

from api.conftest import Api
from buddy_common.db import events, task_claims, tasks
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.jobs import job_kind
from buddy_common.schemas.tasks import TaskStatus

OWNER = "here:1"


async def submit(api: Api, action: str = "restart", **headers: str) -> str:
    answer = await api.client.post(f"/v1/gateway/{action}", headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["taskID"])


async def poll(api: Api, task_id: str, **query: str) -> httpx.Response:
    return await api.client.get("/v1/tasks/status", params={"taskId": task_id, **query})


async def row_of(api: Api, task_id: str) -> TaskRow:
    return await api.wiring.database.run(
        lambda session: session.exec(select(TaskRow).where(TaskRow.id == task_id)).one()
    )


async def count_rows(api: Api) -> int:
    return len(await api.wiring.database.run(lambda session: session.exec(select(TaskRow.id)).all()))


async def messages(api: Api, queue: str = "node.local.fast") -> list[str]:
    return [str(message) for message in await api.wiring.redis.lrange(queue, 0, -1)]


async def audit(api: Api, **query: str) -> list[dict[str, Any]]:
    answer = await api.client.get("/v1/system/events", params=query)
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def claim_silently(api: Api, task_id: str) -> int | None:
    """Claim as a worker does; tell nobody."""
    kind = job_kind((await row_of(api, task_id)).kind)
    assert kind is not None
    row = await api.wiring.database.run(lambda s: task_claims.claim(s, task_id, kind, owner=OWNER))
    return None if row is None else row.epoch


async def try_claim(api: Api, task_id: str) -> int | None:
    epoch = await claim_silently(api, task_id)
    if epoch is not None:
        await api.wiring.stream.append(task_id, [{"status": "Running"}])
    return epoch


async def claim(api: Api, task_id: str) -> int:
    epoch = await try_claim(api, task_id)
    assert epoch is not None
    return epoch


async def report(api: Api, task_id: str, **fields: Any) -> None:
    assert await api.wiring.database.run(lambda s: task_claims.report(s, task_id, epoch=1, **fields))
    await api.wiring.stream.append(task_id, [{"stage": "x"}])


async def write(api: Api, task_id: str, first_seq: int, lines: list[str]) -> None:
    await api.wiring.database.run(lambda s: tasks.add_output(s, task_id, first_seq=first_seq, lines=lines))
    await api.wiring.stream.append(task_id, [{"line": line} for line in lines])


async def finish_silently(
    api: Api, task_id: str, *, status: TaskStatus = TaskStatus.COMPLETED, **outcome: Any
) -> None:
    """Record the outcome as a worker does; tell nobody."""

    def record(session: Session) -> bool:
        event = EventStatus.SUCCESS if status is TaskStatus.COMPLETED else EventStatus.FAILED
        events.close(session, task_id, status=event, detail=outcome.get("error"))
        return task_claims.finish(session, task_id, epoch=1, status=status, **outcome)

    assert await api.wiring.database.run(record)


async def finish(
    api: Api, task_id: str, *, status: TaskStatus = TaskStatus.COMPLETED, **outcome: Any
) -> None:
    await finish_silently(api, task_id, status=status, **outcome)
    await api.wiring.stream.append(task_id, [{"status": status}])


async def run_to(api: Api, task_id: str, status: TaskStatus) -> None:
    """Let a Queued task come to this status."""
    if status is TaskStatus.QUEUED:
        return
    await claim(api, task_id)
    if status is not TaskStatus.RUNNING:
        await finish(api, task_id, status=status)
