"""Whom a list that is old, asked for anew or unknown is asked of, and how long that is waited for."""

import pytest

from api.conftest import Api
from api.mirroring import CONTENT, data_of, make_older, publish, reader
from buddy_api.mirrored import REVALIDATE_SECONDS
from buddy_common.adapters.refresh_requests import ReadAnswer
from buddy_common.schemas.resources import Resource


async def test_an_old_list_is_answered_at_once_and_asked_for_once_a_second(api: Api) -> None:
    await publish(api, Resource.SKILLS)
    await make_older(api, Resource.SKILLS, REVALIDATE_SECONDS + 1)

    for _ in range(5):
        assert (await api.client.get("/v1/openclaw/skills")).status_code == 200

    question = await api.wiring.requests.next_question("local", seconds=0.1)
    assert question is not None
    assert (question.id, question.resources) == ("", ["skills"])
    assert await api.wiring.requests.next_question("local", seconds=0.1) is None


async def test_a_young_list_is_asked_for_by_nobody(api: Api) -> None:
    await publish(api, Resource.SKILLS)

    await api.client.get("/v1/openclaw/skills")

    assert await api.wiring.requests.next_question("local", seconds=0.1) is None


async def test_refresh_waits_for_the_reader_and_shows_what_it_read(api: Api) -> None:
    await publish(api, Resource.SKILLS)

    async with reader(api, {Resource.SKILLS: [{"name": "fresh"}]}) as asked:
        answer = await api.client.get("/v1/openclaw/skills", params={"refresh": "true"})

    assert (await data_of(answer))["data"] == [{"name": "fresh"}]
    assert [question.resources for question in asked] == [["skills"]]


async def test_what_was_never_published_is_asked_for_and_waited_for(api: Api) -> None:
    async with reader(api, {Resource.SKILLS: [{"name": "first"}]}):
        answer = await api.client.get("/v1/openclaw/skills")

    assert (await data_of(answer))["data"] == [{"name": "first"}]


async def test_refresh_without_a_reader_ends_with_the_last_known(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(api, Resource.SKILLS)
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.2)

    data = await data_of(await api.client.get("/v1/openclaw/skills", params={"refresh": "true"}))

    assert (data["data"], data["stale"]) == (CONTENT[Resource.SKILLS], True)


async def test_nothing_known_and_no_reader_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.2)

    answer = await api.client.get("/v1/openclaw/skills")

    assert (answer.status_code, answer.json()["data"]["error"]) == (503, "not_reported")


async def test_nothing_known_says_why_it_could_not_be_read(api: Api) -> None:
    failed = ReadAnswer(data={"failed": ["skills"], "reasons": {"skills": "The file has a stray comma."}})

    async with reader(api, answer=failed):
        answer = await api.client.get("/v1/openclaw/skills")

    assert (answer.status_code, answer.json()["data"]["error"]) == (503, "not_reported")
    assert "The file has a stray comma." in answer.text
