"""Following a task, step by step: between two pieces of news, anything may happen."""

from collections.abc import AsyncIterator

import pytest

from api.acting import claim, finish_silently, run_to, submit, write
from api.conftest import Api
from buddy_api.usecases import follow_task as module
from buddy_api.usecases.follow_task import News, NewsKind, follow_task
from buddy_common.schemas.tasks import TaskStatus

TASK, OUTPUT, DONE = NewsKind.TASK, NewsKind.OUTPUT, NewsKind.DONE


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_LINES", 2)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)


def follow(api: Api, task_id: str, after: int = -1) -> AsyncIterator[News]:
    return follow_task(api.wiring.database, api.wiring.changes, task_id=task_id, after=after)


async def kinds(news: AsyncIterator[News]) -> list[NewsKind]:
    return [piece.kind async for piece in news]


@pytest.mark.parametrize("lines", range(6))
async def test_all_lines_of_a_task_that_has_ended_come_before_its_end(lines: int, api: Api) -> None:
    task_id = await submit(api)
    await write(api, task_id, 0, ["x"] * lines)
    await run_to(api, task_id, TaskStatus.FAILED)

    assert await kinds(follow(api, task_id)) == [TASK, *[OUTPUT] * lines, DONE]


async def test_an_end_that_is_seen_with_a_full_page_is_told_after_the_last_page(api: Api) -> None:
    task_id = await submit(api)
    await claim(api, task_id)
    await write(api, task_id, 0, ["x"] * 5)
    news = follow(api, task_id)
    assert [(await anext(news)).kind for _ in range(2)] == [TASK, OUTPUT]

    await finish_silently(api, task_id)

    assert await kinds(news) == [*[OUTPUT] * 4, TASK, DONE]


async def test_a_change_while_lines_are_told_is_told_after_them(api: Api) -> None:
    task_id = await submit(api)
    await write(api, task_id, 0, ["x"])
    news = follow(api, task_id)
    await anext(news)

    await claim(api, task_id)

    assert [(await anext(news)).kind for _ in range(2)] == [OUTPUT, TASK]
    await finish_silently(api, task_id)
    assert await kinds(news) == [TASK, DONE]


async def test_a_task_that_is_gone_has_no_news(api: Api) -> None:
    assert await kinds(follow(api, "task-0-0")) == []


async def test_a_database_that_is_gone_ends_the_news(api: Api) -> None:
    task_id = await submit(api)
    news = follow(api, task_id)
    await anext(news)

    await api.wiring.database.run(
        lambda session: session.connection().exec_driver_sql("ALTER TABLE task_output RENAME TO gone")
    )

    assert await kinds(news) == []


async def test_a_process_that_stops_ends_the_news(api: Api) -> None:
    task_id = await submit(api)
    news = follow(api, task_id)
    await anext(news)

    api.wiring.stopping._told.set()

    assert await kinds(news) == []
