"""A file of a bot, which the reader of its node looks at."""

import pytest

from api.conftest import Api
from api.mirroring import data_of, reader, set_web
from buddy_common.adapters.refresh_requests import ReadAnswer


async def test_a_bots_file_comes_from_its_node_with_a_tag(api: Api) -> None:
    file = {"name": "SOUL.md", "content": "我是谁", "size": 9, "updatedAt": "2026-03-28T10:00:00+00:00"}

    async with reader(api, answer=ReadAnswer(data=file)) as asked:
        first = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})
        known = {"If-None-Match": first.headers["ETag"]}
        second = await api.client.get(
            "/v1/openclaw/bots/file", params={"id": "main", "type": "soul"}, headers=known
        )
        await api.client.get("/v1/openclaw/bots/file", params={"id": "main", "filename": "memory/昨天.md"})

    assert await data_of(first) == file
    assert second.status_code == 304
    assert [question.file for question in asked] == ["SOUL.md", "SOUL.md", "memory/昨天.md"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("unknown_bot", 404),
        ("unknown_file", 404),
        ("bad_file", 400),
        ("not_reported", 503),
        ("gateway_unreachable", 500),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(error: str, status: int, api: Api) -> None:
    async with reader(api, answer=ReadAnswer(error=error, message="It lies outside.")):
        answer = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})

    assert answer.status_code == status, answer.text
    if status != 500:
        assert answer.json()["data"]["error"] == error


async def test_a_node_that_does_not_answer_for_a_file_is_504(api: Api) -> None:
    set_web(api, wait_seconds=0.2)

    answer = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (504, "reader_silent")
