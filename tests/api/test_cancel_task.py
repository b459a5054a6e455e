"""Cancelling: at once what waits, by its worker what runs, and never what has ended."""

import asyncio
import time
from functools import partial

import httpx
import pytest
from sqlmodel import Session

from api.acting import (
    OWNER,
    audit,
    claim,
    finish,
    messages,
    poll,
    report,
    row_of,
    run_to,
    submit,
    try_claim,
)
from api.conftest import Api
from buddy_common.db import task_claims
from buddy_common.errors import JobCancelledError
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually

FINAL = [status for status in TaskStatus if status.is_final]


@pytest.fixture
def short_wait(api_environment: pytest.MonkeyPatch) -> None:
    api_environment.setenv("BUDDY_WAIT_SECONDS", "0.2")


async def cancel(api: Api, task_id: str, **headers: str) -> httpx.Response:
    return await api.client.post(f"/v1/tasks/{task_id}/cancel", headers=headers)


async def asked(api: Api) -> list[str]:
    """What the worker sees when it looks."""
    return await api.wiring.database.run(lambda s: task_claims.to_cancel(s, owner=OWNER))


async def test_a_queued_task_is_cancelled_at_once(api: Api) -> None:
    task_id = await submit(api)

    answer = await cancel(api, task_id)

    body = answer.json()
    assert answer.status_code == body["code"] == 200
    task = body["data"]
    assert (task["id"], task["status"]) == (task_id, "Cancelled")
    assert (task["error"], task["errorCode"]) == (JobCancelledError().message, "cancelled")
    assert task["endTime"] is not None
    assert (await poll(api, task_id)).json()["data"] == task


async def test_the_message_of_a_cancelled_task_finds_nothing_to_do(api: Api) -> None:
    task_id = await submit(api)
    await cancel(api, task_id)

    assert len(await messages(api)) == 1
    assert await try_claim(api, task_id) is None


async def test_the_audit_says_who_cancelled_and_that_the_change_was_not_made(api: Api) -> None:
    task_id = await submit(api)
    await cancel(api, task_id)

    cancelling, change = await audit(api)

    assert (cancelling["action"], cancelling["status"]) == ("cancel_task", "success")
    assert (cancelling["user"], cancelling["address"]) == ("admin", "203.0.113.7")
    assert (cancelling["target"], cancelling["taskID"], cancelling["node"]) == (task_id, task_id, "local")
    assert (change["action"], change["status"]) == ("restart_gateway", "failed")
    assert change["detail"] == JobCancelledError().message


async def test_cancelling_wakes_who_waits_for_the_task(api: Api) -> None:
    task_id = await submit(api)
    waiting = asyncio.create_task(poll(api, task_id, wait="30"))
    clients = partial(api.wiring.redis.info, "clients")
    await eventually(clients, lambda info: info["blocked_clients"] > 0)

    await cancel(api, task_id)

    async with asyncio.timeout(2):  # less than the three seconds after which it would look by itself
        assert (await waiting).json()["data"]["status"] == "Cancelled"


async def test_a_running_task_is_cancelled_when_its_worker_has_ended_it(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)

    waiting = asyncio.create_task(cancel(api, task_id))
    await eventually(partial(asked, api), lambda ids: ids == [task_id])
    assert not waiting.done()
    await finish(api, task_id, status=TaskStatus.CANCELLED, error="Cancelled while: starting.")

    async with asyncio.timeout(5):
        answer = await waiting
    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "Cancelled"
    assert answer.json()["data"]["error"] == "Cancelled while: starting."


async def test_a_change_that_does_not_end_the_task_does_not_end_the_wait(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    waiting = asyncio.create_task(cancel(api, task_id))
    await eventually(partial(asked, api), lambda ids: ids == [task_id])

    await report(api, task_id, stage="letting go")
    clients = partial(api.wiring.redis.info, "clients")
    await eventually(clients, lambda info: info["blocked_clients"] > 0)
    assert not waiting.done()

    await finish(api, task_id, status=TaskStatus.CANCELLED)
    async with asyncio.timeout(5):
        assert (await waiting).json()["data"]["stage"] == "letting go"


async def test_a_worker_that_was_faster_has_completed_the_task(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    waiting = asyncio.create_task(cancel(api, task_id))
    await eventually(partial(asked, api), lambda ids: ids == [task_id])

    await finish(api, task_id, result={"pid": 7})

    async with asyncio.timeout(5):
        answer = await waiting
    assert answer.status_code == 200
    assert (answer.json()["data"]["status"], answer.json()["data"]["result"]) == ("Completed", {"pid": 7})


async def test_who_does_not_want_to_wait_gets_202_at_once(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    began = time.monotonic()

    answer = await cancel(api, task_id, Prefer="respond-async")

    assert time.monotonic() - began < 5
    assert answer.status_code == 202
    assert answer.json() == {
        "code": 202,
        "message": "Cancellation initiated",
        "data": {"taskID": task_id},
    }
    assert await asked(api) == [task_id]


@pytest.mark.usefixtures("short_wait")
async def test_a_worker_that_takes_longer_than_the_wait_is_202(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    began = time.monotonic()

    answer = await cancel(api, task_id)

    assert answer.status_code == 202
    assert 0.2 <= time.monotonic() - began < 5
    assert (await poll(api, task_id)).json()["data"]["status"] == "Running"


async def test_a_process_that_is_told_to_stop_does_not_wait(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    waiting = asyncio.create_task(cancel(api, task_id))
    await eventually(partial(asked, api), lambda ids: ids == [task_id])

    api.wiring.stopping._told.set()

    async with asyncio.timeout(5):
        assert (await waiting).status_code == 202


async def test_asking_twice_keeps_the_first_time_and_leaves_two_events(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    await cancel(api, task_id, Prefer="respond-async")
    first = (await row_of(api, task_id)).cancel_at

    await cancel(api, task_id, Prefer="respond-async")

    assert (await row_of(api, task_id)).cancel_at == first
    assert len(await audit(api, action="cancel_task")) == 2


@pytest.mark.parametrize("status", FINAL)
async def test_a_task_that_has_ended_is_409_and_stays_as_it_ended(status: TaskStatus, api: Api) -> None:
    task_id = await submit(api)
    await run_to(api, task_id, status)
    before = (await row_of(api, task_id)).model_dump()

    answer = await cancel(api, task_id)

    assert answer.status_code == answer.json()["code"] == 409
    assert answer.json()["data"] == {"error": "task_ended", "status": status}
    assert status in answer.json()["message"]
    assert (await row_of(api, task_id)).model_dump() == before
    assert await audit(api, action="cancel_task") == []


async def test_an_unknown_task_is_404(api: Api) -> None:
    answer = await cancel(api, "task-0-0")
    assert answer.status_code == 404
    assert answer.json()["data"]["error"] == "unknown_task"


async def test_a_malformed_id_is_400_and_names_the_field(api: Api) -> None:
    answer = await cancel(api, "task%00")
    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "task_id"


@pytest.mark.parametrize("turn", range(10))
async def test_of_a_cancel_and_a_claim_at_once_both_know_the_truth(turn: int, api: Api) -> None:
    task_id = await submit(api)
    both = [cancel(api, task_id, Prefer="respond-async"), try_claim(api, task_id)]

    first, second = await asyncio.gather(*(both if turn % 2 else reversed(both)))
    answer, epoch = (first, second) if isinstance(first, httpx.Response) else (second, first)

    assert isinstance(answer, httpx.Response)
    row = await row_of(api, task_id)
    if epoch is None:
        assert (answer.status_code, row.status) == (200, "Cancelled")
    else:
        assert (answer.status_code, row.status) == (202, "Running")
        assert row.cancel_at is not None


async def test_a_task_that_was_queued_once_more_in_between_is_cancelled_all_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL lets it happen between two statements: here it does."""
    task_id = await submit(api)
    await claim(api, task_id)
    ask = task_claims.ask_to_cancel

    def too_late(session: Session, wanted: str) -> bool:
        task_claims.repeat(session, wanted, epoch=1)
        return ask(session, wanted)

    monkeypatch.setattr(task_claims, "ask_to_cancel", too_late)
    answer = await cancel(api, task_id)

    assert answer.status_code == 200
    assert answer.json()["data"]["status"] == "Cancelled"
    assert len(await audit(api, action="cancel_task")) == 1
