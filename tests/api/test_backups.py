"""Backups over HTTP: the node answers reads, jobs make and restore them."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.acting import audit, claim, count_rows, finish, row_of
from api.conftest import Api
from buddy_common.adapters.refresh_requests import ReadAnswer, RefreshRequests
from buddy_common.schemas.backups import BackupQuestion
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually

NAME = "openclaw-20260328-100000-1a2b3c4d.bak"
OTHER = "openclaw-20260327-100000-1a2b3c4d-2.bak"
ROW = {
    "name": NAME,
    "hash": "1a2b3c4d",
    "size": 2,
    "reason": "manual",
    "createdAt": "2026-03-28T10:00:00Z",
    "taskID": None,
    "files": ["openclaw.json"],
}
DIFF = {
    "name": NAME,
    "against": "current",
    "identical": True,
    "diff": "",
    "stats": {"added": 0, "removed": 0, "changed": 0},
    "changes": [],
    "problem": None,
}
LIST = {"backups": [ROW], "total": 1, "more": False, "current": None}
CONTENT = {**ROW, "contents": [{"file": "openclaw.json", "size": 2, "content": "{}", "problem": None}]}

Asked = tuple[httpx.Response, BackupQuestion | None]


async def ask(api: Api, path: str, answer: ReadAnswer, **query: Any) -> Asked:
    """Ask the api, and answer as the node's reader does."""
    requests = RefreshRequests(api.wiring.redis)
    asking = asyncio.create_task(api.client.get(f"/v1/heal/backups{path}", params=query))
    question = await requests.next_question("local")
    assert question is not None
    await requests.answer("local", question, answer)
    return await asking, question.backups


async def acted(api: Api, path: str, act: Callable[[str], Any], **body: Any) -> httpx.Response:
    """Ask for a change, and play the worker."""
    asking = asyncio.create_task(api.client.post(f"/v1/heal/backups{path}", **body))
    (event,) = await eventually(lambda: audit(api), bool)
    await claim(api, event["taskID"])
    await act(event["taskID"])
    return await asking


@pytest.mark.parametrize(
    ("path", "query", "answer", "question"),
    [
        ("", {}, LIST, {"limit": 100}),
        ("", {"limit": 5, "before": OTHER}, LIST, {"limit": 5, "before": OTHER}),
        (f"/{NAME}", {}, CONTENT, {"name": NAME}),
        (f"/{NAME}/diff", {}, DIFF, {"name": NAME, "against": "current"}),
        (f"/{NAME}/diff", {"against": OTHER}, DIFF, {"name": NAME, "against": OTHER}),
    ],
)
async def test_what_the_node_says_is_the_answer(
    api: Api, path: str, query: dict[str, Any], answer: dict[str, Any], question: dict[str, Any]
) -> None:
    response, asked = await ask(api, path, ReadAnswer(data=answer), **query)

    assert response.json() == {"code": 200, "message": "success", "data": answer}
    assert asked == BackupQuestion(**question)


async def test_an_unknown_backup_is_404_and_named(api: Api) -> None:
    answer = ReadAnswer(error="unknown_backup", message="…", data={"backup": OTHER})

    response, _ = await ask(api, f"/{NAME}/diff", answer, against=OTHER)

    assert response.status_code == 404
    assert response.json()["data"] == {"error": "unknown_backup", "backup": OTHER}


async def test_a_failure_of_the_node_is_500_with_its_reason(api: Api) -> None:
    response, _ = await ask(api, "", ReadAnswer(error="new", message="Something new."))

    assert (response.status_code, response.json()["message"]) == (500, "Something new.")


@pytest.mark.parametrize("path", ["", f"/{NAME}", f"/{NAME}/diff"])
async def test_a_node_that_does_not_answer_is_504(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(api.wiring.requests, "ask", nobody)

    response = await api.client.get(f"/v1/heal/backups{path}")

    assert (response.status_code, response.json()["data"]["error"]) == (504, "reader_silent")


BAD_NAMES = [
    "x",
    "-x",
    "%2e%2e",
    f"{NAME}x",
    f"x{NAME}",
    f"{NAME}%00",
    f"{NAME}%0a",
    "..%2fopenclaw.json",
    "a" * 300,
]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_what_can_be_no_name_is_400_or_no_route_and_nobody_is_asked(api: Api, name: str) -> None:
    answers = [
        await api.client.get(f"/v1/heal/backups/{name}"),
        await api.client.get(f"/v1/heal/backups/{name}/diff"),
        await api.client.post(f"/v1/heal/backups/{name}/restore"),
    ]

    assert {answer.status_code for answer in answers} <= {400, 404, 405}
    assert await count_rows(api) == 0
    assert await api.wiring.redis.exists("buddy:local:questions") == 0


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("", "limit", "0"),
        ("", "limit", "1001"),
        ("", "limit", "x"),
        ("", "before", "x"),
        ("", "before", f"{NAME}\n"),
        (f"/{NAME}/diff", "against", ""),
        (f"/{NAME}/diff", "against", "../x"),
        (f"/{NAME}/diff", "against", f"current{NAME}"),
    ],
)
async def test_a_bad_parameter_is_400_and_named(api: Api, path: str, field: str, value: str) -> None:
    answer = await api.client.get(f"/v1/heal/backups{path}", params={field: value})

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == field


async def test_nothing_is_told_to_strangers(api: Api) -> None:
    for path in ("", f"/{NAME}", f"/{NAME}/diff"):
        assert (await api.stranger.get(f"/v1/heal/backups{path}")).status_code == 401
    for path in ("", f"/{NAME}/restore"):
        assert (await api.stranger.post(f"/v1/heal/backups{path}")).status_code == 401


async def test_a_backup_is_made_on_request(api: Api) -> None:
    answer = await acted(api, "", lambda task: finish(api, task, result={"name": NAME}))

    assert answer.status_code == 200
    assert answer.json()["data"]["message"] == "备份已创建"
    assert answer.json()["data"]["result"] == {"name": NAME}
    assert (await audit(api))[0]["action"] == "backup_config"


async def test_a_restore_is_a_job_with_its_outcome(api: Api) -> None:
    answer = await acted(
        api, f"/{NAME}/restore", lambda task: finish(api, task, result={"applied": "restart"})
    )

    data = answer.json()["data"]
    assert (answer.status_code, data["status"], data["message"]) == (200, "success", "备份已恢复")
    assert data["result"] == {"applied": "restart"}
    row = await row_of(api, data["taskID"])
    assert (row.kind, row.lane, row.target) == ("buddy.config.restore", "fast", NAME)
    assert row.payload == {"name": NAME}


@pytest.mark.parametrize(
    ("slug", "status"),
    [("unknown_backup", 404), ("config_rejected", 400), ("config_undone", 502), ("state_unwritable", 507)],
)
async def test_a_restore_that_fails_answers_with_its_reason(api: Api, slug: str, status: int) -> None:
    answer = await acted(
        api,
        f"/{NAME}/restore",
        lambda task: finish(api, task, status=TaskStatus.FAILED, error="OpenClaw said so.", error_code=slug),
    )

    assert (answer.status_code, answer.json()["message"]) == (status, "OpenClaw said so.")
    assert answer.json()["data"]["error"] == slug
