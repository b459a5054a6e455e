"""Uninstalling and reloading skills."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.acting import audit, count_rows, row_of
from api.conftest import Api
from buddy_common.adapters.refresh_requests import ReadAnswer
from buddy_common.schemas.resources import Resource

SKILLS = "/v1/openclaw/skills"


async def uninstall(api: Api, name: str, **query: str) -> httpx.Response:
    headers = {"Prefer": "respond-async"}
    return await api.client.delete(f"{SKILLS}/{name}", params=query, headers=headers)


@pytest.mark.parametrize("name", ["my-skill", "1password", "我的技能", "a.b", "two%20words", "@me:x"])
async def test_uninstalling_is_a_job(name: str, api: Api) -> None:
    answer = await uninstall(api, name)

    assert answer.status_code == 202, answer.text
    row = await row_of(api, answer.json()["data"]["taskID"])
    plain = name.replace("%20", " ")
    assert (row.kind, row.target) == ("buddy.skills.uninstall", plain)
    assert row.payload == {"name": plain, "agent": None}
    event = (await audit(api))[0]
    assert (event["action"], event["target"]) == ("uninstall_skills", plain)


async def test_the_bot_is_named_by_the_query(api: Api) -> None:
    answer = await uninstall(api, "mine", agent="bot_1")
    assert (await row_of(api, answer.json()["data"]["taskID"])).payload["agent"] == "bot_1"


@pytest.mark.parametrize(
    ("name", "query", "field"),
    [
        ("..", {}, None),
        ("%2e%2e", {}, None),
        ("a..b", {}, "name"),
        ("..%2f..%2fetc", {}, None),
        ("-rf", {}, "name"),
        ("--help", {}, "name"),
        ("a%00b", {}, "name"),
        ("a%0a", {}, "name"),
        ("x" * 129, {}, "name"),
        ("a;b", {}, "name"),
        ("mine", {"agent": "../x"}, "agent"),
        ("mine", {"agent": "-x"}, "agent"),
    ],
)
async def test_what_is_no_name_makes_no_task(
    name: str, query: dict[str, str], field: str | None, api: Api
) -> None:
    answer = await uninstall(api, name, **query)

    assert answer.status_code in (400, 404, 405), answer.text
    if field is not None:
        assert answer.status_code == 400
        assert answer.json()["data"]["fields"][0]["field"] == field
    assert await count_rows(api) == 0


async def reload(api: Api, answer: ReadAnswer | None, skills: str | None = None) -> httpx.Response:
    """Ask for it, and play the node's reader."""

    async def read() -> None:
        question = await api.wiring.requests.next_question("local", seconds=5)
        assert question is not None
        assert question.resources == [Resource.SKILLS]
        if skills is not None:
            await api.wiring.read_model.put(
                "local", Resource.SKILLS, skills, source="rpc", fresh_seconds=60, of_gateway=True
            )
        if answer is not None:
            await api.wiring.requests.answer("local", question, answer)

    async with asyncio.timeout(8), asyncio.TaskGroup() as group:
        group.create_task(read())
        return await api.client.post(f"{SKILLS}/reload")


async def test_reloading_reads_the_skills_anew_and_counts_them(api: Api) -> None:
    answer = await reload(api, ReadAnswer(data={"failed": []}), '[{"name":"a"},{"name":"b"}]')

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == {"status": "success", "message": "技能已重新加载", "count": 2}
    assert await count_rows(api) == 0
    event = (await audit(api))[0]
    assert {name: event[name] for name in ("action", "status", "user", "address", "node", "detail")} == {
        "action": "reload_skills",
        "status": "success",
        "user": "admin",
        "address": "203.0.113.7",
        "node": "local",
        "detail": None,
    }


FAILED = ReadAnswer(data={"failed": ["skills"]})


@pytest.mark.parametrize(
    ("said", "status", "slug"),
    [
        (FAILED, 502, "skills_not_read"),
        (ReadAnswer(error="internal_error", message="x"), 502, "skills_not_read"),
        (ReadAnswer(data={"failed": []}), 503, "not_reported"),
    ],
)
async def test_reloading_that_fails_says_so_and_is_in_the_audit(
    said: ReadAnswer, status: int, slug: str, api: Api
) -> None:
    answer = await reload(api, said)

    assert (answer.status_code, answer.json()["data"]["error"]) == (status, slug)
    event = (await audit(api))[0]
    assert (event["action"], event["status"]) == ("reload_skills", "failed")
    assert event["detail"] == answer.json()["message"]


async def test_a_node_that_does_not_answer_is_504(api: Api) -> None:
    w = api.wiring
    web = w.config.web.model_copy(update={"wait_seconds": 0.2})
    api.app.state.wiring = replace(w, config=replace(w.config, web=web))

    answer: Any = await api.client.post(f"{SKILLS}/reload")

    assert (answer.status_code, answer.json()["data"]["error"]) == (504, "reader_silent")
    assert (await audit(api))[0]["status"] == "failed"
