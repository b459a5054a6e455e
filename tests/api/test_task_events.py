"""A task as a stream of events, over a real server."""

import asyncio
import time
from functools import partial
from typing import Any

import fastapi.routing
import fastapi.sse
import httpx
import pytest
from sqlmodel import Session

from api.acting import claim, finish, report, run_to, submit, write
from api.conftest import Api, Served
from api.sse import Event
from buddy_common.db import task_claims, tasks
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually


def lines_of(events: list[Event]) -> list[str]:
    return [event.data["line"] for event in events if event.name == "output"]


async def until_it_waits(api: Api, watchers: int = 1) -> None:
    """Return when so many wait in the broker for news."""
    clients = partial(api.wiring.redis.info, "clients")
    await eventually(clients, lambda info: info["blocked_clients"] >= watchers)


async def test_a_task_that_has_ended_is_told_from_its_first_line_to_its_end(served: Served) -> None:
    task_id = await submit(served.api)
    await claim(served.api, task_id)
    await write(served.api, task_id, 0, ["stopping", "starting"])
    await finish(served.api, task_id, result={"pid": 7})

    async with served.follow(task_id) as stream:
        first, *output, done = await stream.rest()

    assert (first.name, first.data["status"], first.id) == ("task", "Completed", None)
    assert "output" not in first.data
    assert [(event.name, event.data, event.id) for event in output] == [
        ("output", {"seq": 0, "line": "stopping"}, "0"),
        ("output", {"seq": 1, "line": "starting"}, "1"),
    ]
    assert done.name == "done"
    assert done.data["output"] == ["stopping", "starting"]
    assert (done.data["status"], done.data["result"]) == ("Completed", {"pid": 7})


async def test_what_happens_is_told_as_it_happens(served: Served) -> None:
    task_id = await submit(served.api)
    async with served.follow(task_id) as stream:
        assert (await stream.next()).data["status"] == "Queued"

        await claim(served.api, task_id)
        assert (await stream.next()).data["status"] == "Running"

        await report(served.api, task_id, stage="starting", progress=60)
        task = await stream.next()
        assert (task.name, task.data["stage"], task.data["progress"]) == ("task", "starting", 60)

        await write(served.api, task_id, 0, ["[gateway] starting..."])
        assert (await stream.next()).data == {"seq": 0, "line": "[gateway] starting..."}

        await finish(served.api, task_id, result={"pid": 7})
        assert [event.name for event in await stream.rest()] == ["task", "done"]


async def test_last_lines_come_before_the_end_even_if_both_are_seen_at_once(served: Served) -> None:
    task_id = await submit(served.api)
    await claim(served.api, task_id)
    async with served.follow(task_id) as stream:
        await stream.next()
        await until_it_waits(served.api)

        def end(session: Session) -> None:
            tasks.add_output(session, task_id, first_seq=0, lines=["last words"])
            task_claims.finish(session, task_id, epoch=1, status=TaskStatus.FAILED)

        await served.api.wiring.database.run(end)
        await served.api.wiring.changes.announce(task_id, TaskStatus.FAILED)

        assert [event.name for event in await stream.rest()] == ["output", "task", "done"]


async def test_thousands_of_lines_come_in_order_without_gap_or_duplicate(served: Served) -> None:
    task_id = await submit(served.api)
    await claim(served.api, task_id)
    await write(served.api, task_id, 0, [f"line {seq}" for seq in range(2500)])
    async with served.follow(task_id) as stream:
        await stream.next()
        writing = asyncio.create_task(_write_on(served.api, task_id))
        events = await stream.until("done")
        await writing

    assert lines_of(events) == [f"line {seq}" for seq in range(3000)]
    assert [event.id for event in events if event.name == "output"] == [str(seq) for seq in range(3000)]


async def _write_on(api: Api, task_id: str) -> None:
    for first in range(2500, 3000, 20):
        await write(api, task_id, first, [f"line {seq}" for seq in range(first, first + 20)])
    await finish(api, task_id)


async def test_lines_hold_whatever_a_program_writes(served: Served) -> None:
    task_id = await submit(served.api)
    lines = ["", "a\nb", "event: done", "\r\n\r\n", "中文 🦞", "\u2028", ": no comment", '"}']
    await write(served.api, task_id, 0, lines)
    await run_to(served.api, task_id, TaskStatus.COMPLETED)

    async with served.follow(task_id) as stream:
        assert lines_of(await stream.rest()) == lines


@pytest.mark.parametrize(
    ("after", "expected"),
    [("0", ["b", "c", "d"]), ("1", ["c", "d"]), ("3", []), ("99", []), (str(2**31 - 1), [])],
)
async def test_a_stream_goes_on_after_the_last_line_seen(
    after: str, expected: list[str], served: Served
) -> None:
    task_id = await submit(served.api)
    await write(served.api, task_id, 0, ["a", "b", "c", "d"])
    await run_to(served.api, task_id, TaskStatus.COMPLETED)

    async with served.follow(task_id, last_event_id=after) as stream:
        by_header = await stream.rest()
    async with served.follow(task_id, after=after) as stream:
        by_query = await stream.rest()

    assert by_header == by_query
    assert lines_of(by_header) == expected
    assert (by_header[0].name, by_header[-1].name) == ("task", "done")


async def test_a_browser_that_reconnects_to_an_address_with_a_start_goes_on_where_it_was(
    served: Served,
) -> None:
    task_id = await submit(served.api)
    await write(served.api, task_id, 0, ["a", "b", "c", "d"])
    await run_to(served.api, task_id, TaskStatus.COMPLETED)

    async with served.follow(task_id, last_event_id="2", after="0") as stream:
        assert lines_of(await stream.rest()) == ["d"]


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "", "1e3", str(2**31), "9" * 30])
@pytest.mark.parametrize("name", ["Last-Event-ID", "after"])
async def test_a_bad_line_number_is_400_and_names_the_field(name: str, value: str, api: Api) -> None:
    task_id = await submit(api)
    path = f"/v1/tasks/{task_id}/events"

    if name == "after":
        answer = await api.client.get(path, params={name: value})
    else:
        answer = await api.client.get(path, headers={name: value})

    assert answer.status_code == answer.json()["code"] == 400
    assert answer.json()["data"]["fields"][0]["field"] == name


async def test_an_unknown_task_is_404_before_the_stream_begins(api: Api) -> None:
    answer = await api.client.get("/v1/tasks/task-0-0/events")
    assert answer.status_code == answer.json()["code"] == 404
    assert answer.json()["data"]["error"] == "unknown_task"


async def test_a_stranger_is_401_whether_or_not_the_task_exists(api: Api) -> None:
    task_id = await submit(api)
    for wanted in (task_id, "task-0-0"):
        answer = await api.stranger.get(f"/v1/tasks/{wanted}/events")
        assert answer.status_code == answer.json()["code"] == 401


async def test_a_ticket_opens_one_stream(served: Served) -> None:
    task_id = await submit(served.api)
    await run_to(served.api, task_id, TaskStatus.COMPLETED)
    ticket = (await served.client.post("/v1/auth/ticket")).json()["data"]["ticket"]

    async with served.follow(task_id, by=served.stranger, ticket=ticket) as stream:
        assert (await stream.rest())[-1].name == "done"
    again = await served.stranger.get(f"/v1/tasks/{task_id}/events", params={"ticket": ticket})

    assert again.status_code == 401


async def test_the_client_is_told_once_when_to_come_back(served: Served) -> None:
    task_id = await submit(served.api)
    await write(served.api, task_id, 0, ["a", "b"])
    await run_to(served.api, task_id, TaskStatus.COMPLETED)

    async with served.follow(task_id) as stream:
        first, *others = await stream.rest()

    assert first.retry is not None
    assert 500 <= first.retry <= 10_000
    assert {event.retry for event in others} == {None}


async def test_the_headers_keep_proxies_from_holding_the_stream_back(served: Served) -> None:
    task_id = await submit(served.api)
    async with served.follow(task_id) as stream:
        headers = stream.response.headers

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"]


async def test_a_silent_stream_shows_that_it_lives(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastapi.sse._PING_INTERVAL <= 15
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.05)
    task_id = await submit(served.api)

    async with served.follow(task_id) as stream:
        await stream.next()
        sign = await stream.next()

    assert (sign.name, sign.data, sign.comment) == (None, None, ": ping")


async def test_a_client_that_leaves_ends_its_stream_at_once(served: Served) -> None:
    task_id = await submit(served.api)
    async with served.follow(task_id) as stream:
        await stream.next()
        await until_it_waits(served.api)
        began = time.monotonic()
    clients = partial(served.api.wiring.redis.info, "clients")

    await eventually(clients, lambda info: info["blocked_clients"] == 0)

    assert time.monotonic() - began < 2  # less than a look takes that nobody interrupts


async def test_many_may_follow_one_task(served: Served) -> None:
    task_id = await submit(served.api)

    async def watch() -> list[str | None]:
        async with served.follow(task_id) as stream:
            return [event.name for event in await stream.until("done")]

    watching = [asyncio.create_task(watch()) for _ in range(20)]
    await until_it_waits(served.api, watchers=20)
    await run_to(served.api, task_id, TaskStatus.COMPLETED)

    async with asyncio.timeout(5):
        assert all(names[-1] == "done" for names in await asyncio.gather(*watching))


def forget(session: Session, task_id: str) -> None:
    session.delete(session.get(TaskRow, task_id))


def lose_the_schema(session: Session, task_id: str) -> None:
    del task_id
    session.connection().exec_driver_sql("ALTER TABLE task_output RENAME TO gone")


@pytest.mark.parametrize("trouble", [forget, lose_the_schema])
async def test_a_stream_whose_rows_are_gone_ends_without_done(trouble: Any, served: Served) -> None:
    task_id = await submit(served.api)
    async with served.follow(task_id) as stream:
        await stream.next()
        await served.api.wiring.database.run(lambda session: trouble(session, task_id))
        await served.api.wiring.changes.announce(task_id, TaskStatus.RUNNING)

        assert await stream.rest() == []


async def test_a_post_is_no_stream(api: Api) -> None:
    answer: httpx.Response = await api.client.post("/v1/tasks/task-0/events")
    assert answer.status_code == 405
