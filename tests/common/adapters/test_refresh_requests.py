"""Questions to a node's reader and its answers, on a real broker."""

import asyncio

import pytest
from redis.asyncio import Redis

from buddy_common.adapters import refresh_requests
from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion, RefreshRequests
from buddy_common.errors import BrokerUnavailableError


async def test_a_question_reaches_its_node_and_the_answer_whoever_asked(redis: Redis) -> None:
    requests = RefreshRequests(redis)
    asking = asyncio.create_task(requests.ask("local", bot="main", file="SOUL.md", seconds=5))

    question = await requests.next_question("local")
    assert question is not None
    await requests.answer("local", question, ReadAnswer(data={"content": "我是谁"}))

    assert (question.bot, question.file, question.resources) == ("main", "SOUL.md", [])
    assert await asking == ReadAnswer(data={"content": "我是谁"})


async def test_each_asker_gets_its_own_answer(redis: Redis) -> None:
    requests = RefreshRequests(redis)
    asking = [asyncio.create_task(requests.ask("local", file=name, seconds=5)) for name in ("a", "b")]

    questions = [await requests.next_question("local") for _ in asking]
    for question in reversed(questions):
        assert question is not None
        await requests.answer("local", question, ReadAnswer(data={"file": question.file}))

    assert [answer.data["file"] for answer in await asyncio.gather(*asking) if answer] == ["a", "b"]


async def test_who_waits_for_lists_keeps_nobody_from_a_file(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_requests, "MAX_WAITING", 1)
    requests = RefreshRequests(redis)
    async with asyncio.timeout(5):
        lists = [
            asyncio.create_task(requests.ask("local", resources=["skills"], seconds=60)) for _ in range(3)
        ]
        assert await requests.next_question("local") is not None
        file = asyncio.create_task(requests.ask("local", bot="main", file="SOUL.md", seconds=60))

        question = await requests.next_question("local")

    assert question is not None
    assert question.file == "SOUL.md"
    for task in (*lists, file):
        task.cancel()
    await asyncio.gather(*lists, file, return_exceptions=True)


async def test_no_answer_in_time_is_none(redis: Redis) -> None:
    async with asyncio.timeout(5):
        assert await RefreshRequests(redis).ask("local", resources=["skills"], seconds=0.2) is None


async def test_who_only_tells_waits_for_nothing_and_gets_no_answer(redis: Redis) -> None:
    requests = RefreshRequests(redis)

    await requests.tell("local", ["skills"])
    question = await requests.next_question("local")
    assert question is not None
    await requests.answer("local", question, ReadAnswer())

    assert (question.id, question.resources) == ("", ["skills"])
    assert [key async for key in redis.scan_iter("*")] == []


async def test_a_node_without_questions_waits_and_says_none(redis: Redis) -> None:
    async with asyncio.timeout(5):
        assert await RefreshRequests(redis).next_question("local", seconds=0.1) is None


async def test_nodes_do_not_get_each_others_questions(redis: Redis) -> None:
    requests = RefreshRequests(redis)
    await requests.tell("vps-1", ["skills"])

    assert await requests.next_question("local", seconds=0.1) is None


async def test_what_nobody_reads_is_bounded_and_goes_away(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_requests, "MAX_UNREAD", 3)
    requests = RefreshRequests(redis)
    for number in range(5):
        await requests.tell("local", [str(number)])

    (key,) = [key async for key in redis.scan_iter("*")]

    assert await redis.llen(key) == 3
    assert 0 < await redis.ttl(key) <= refresh_requests.KEEP_SECONDS


async def test_a_question_of_another_version_is_passed_over(redis: Redis) -> None:
    requests = RefreshRequests(redis)
    await requests.tell("local", ["skills"])
    (key,) = [key async for key in redis.scan_iter("*")]
    await redis.lset(key, 0, '{"what": 1}')

    assert await requests.next_question("local") is None


async def test_requests_without_a_broker_fail_as_such(dead_redis: Redis) -> None:
    requests = RefreshRequests(dead_redis)

    async with asyncio.timeout(10):
        for call in (
            requests.tell("local", ["skills"]),
            requests.ask("local", resources=["skills"], seconds=3),
            requests.next_question("local"),
            requests.answer("local", ReadQuestion(id="x", until=0), ReadAnswer()),
        ):
            with pytest.raises(BrokerUnavailableError):
                await call
