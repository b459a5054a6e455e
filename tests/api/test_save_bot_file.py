"""Writing a file of a bot: a job whose row does not hold the text."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.acting import audit, claim, count_rows, finish, messages, row_of
from api.conftest import Api
from buddy_api.etags import required
from buddy_common.adapters.agent_files import file_tag
from buddy_common.adapters.sealed_payloads import SealedPayloads
from buddy_common.schemas.bot_file_jobs import MAX_FILE_BYTES
from buddy_common.schemas.tasks import TaskStatus
from eventually import eventually

PATH = "/v1/openclaw/bots/file"
TAG = file_tag(b"old")
RESULT = {"name": "SOUL.md", "size": 3, "etag": file_tag(b"new"), "updatedAt": "2026-03-28T10:00:00+00:00"}


async def save(api: Api, *, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return await api.client.post(PATH, json={"id": "bot_1", "content": "new"} | body, headers=headers)


@asynccontextmanager
async def acting(api: Api, **outcome: Any) -> AsyncIterator[Callable[[], str]]:
    """Play the worker that takes the next task and ends it so; say which it was."""
    taken: list[str] = []

    async def act() -> None:
        found = await eventually(lambda: messages(api), bool)
        task_id = json.loads(found[0])["headers"]["id"]
        taken.append(task_id)
        await claim(api, task_id)
        await finish(api, task_id, **outcome)

    async with asyncio.timeout(8), asyncio.TaskGroup() as group:
        group.create_task(act())
        yield lambda: taken[0]


async def queued(api: Api, **more: Any) -> str:
    """Ask for a file without waiting, and return the task."""
    answer = await save(api, headers={"Prefer": "respond-async"} | more.pop("headers", {}), **more)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["data"]["taskID"])


async def test_a_written_file_is_a_flat_success(api: Api) -> None:
    async with acting(api, result=RESULT) as taken:
        answer = await save(api)

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == {
        "status": "success",
        "message": "文件已保存",
        "taskID": taken(),
        **RESULT,
    }


async def test_a_file_that_has_changed_is_412_with_its_tag(api: Api) -> None:
    outcome = {"error": "It has changed.", "error_code": "file_changed", "result": {"etag": TAG}}
    async with acting(api, status=TaskStatus.FAILED, **outcome):
        answer = await save(api, headers={"If-Match": '"x"'})

    assert answer.status_code == 412
    assert answer.json()["data"]["error"] == "file_changed"
    assert answer.json()["data"]["etag"] == TAG


@pytest.mark.parametrize(
    ("slug", "status"), [("bad_file", 400), ("unknown_bot", 404), ("state_unwritable", 507)]
)
async def test_a_file_that_cannot_be_written_says_why(slug: str, status: int, api: Api) -> None:
    async with acting(api, status=TaskStatus.FAILED, error="Full.", error_code=slug):
        answer = await save(api)

    assert (answer.status_code, answer.json()["data"]["error"]) == (status, slug)


async def test_neither_row_nor_list_nor_message_holds_the_text_but_the_broker_has_it_once(api: Api) -> None:
    text = "秘密的灵魂\n" * 10_000
    task_id = await queued(api, content=text)

    row = await row_of(api, task_id)
    listed = (await api.client.get("/v1/tasks/status")).text
    for place in (row.model_dump_json(), listed, "".join(await messages(api))):
        assert "秘密" not in place
        assert "\\u79d8" not in place
        assert len(place) < 4000
    assert row.payload["content"].startswith(f"{len(text.encode())} bytes, SHA-256 ")
    assert row.payload["sealed"] is True
    sealed = SealedPayloads(api.wiring.redis)
    assert await sealed.take(task_id, key=row.payload["seal_key"]) == {"content": text}


async def test_the_audit_says_which_file_of_which_bot(api: Api) -> None:
    await queued(api, type="identity")

    event = (await audit(api))[0]
    assert (event["action"], event["target"]) == ("write_file_bots", "bot_1/IDENTITY.md")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "SOUL.md"),
        ({"type": "memory"}, "MEMORY.md"),
        ({"filename": "memory/昨天.md"}, "memory/昨天.md"),
        ({"filename": "x.md", "type": "soul"}, "x.md"),
        ({"type": None, "filename": None}, "SOUL.md"),
    ],
)
async def test_the_file_is_named_as_it_is_for_reading(body: dict[str, Any], name: str, api: Api) -> None:
    row = await row_of(api, await queued(api, **body))

    assert (row.kind, row.lane, row.payload["bot"], row.payload["name"]) == (
        "buddy.bots.write_file",
        "fast",
        "bot_1",
        name,
    )


async def test_a_target_is_never_longer_than_its_column(api: Api) -> None:
    row = await row_of(api, await queued(api, id="b" * 64, filename="x" * 200))
    assert row.target is not None
    assert len(row.target) == 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Main"),
        ("id", "../main"),
        ("id", "-x"),
        ("id", "a\x00"),
        ("id", "a\n"),
        ("id", 5),
        ("id", None),
        ("type", "secrets"),
        ("type", 1),
        ("filename", "../openclaw.json"),
        ("filename", "a/../../b"),
        ("filename", "/etc/passwd"),
        ("filename", "-x"),
        ("filename", "a\x00b"),
        ("filename", ".git/config"),
        ("filename", "x" * 201),
        ("filename", ""),
        ("content", None),
        ("content", 5),
        ("content", ["x"]),
        ("content", "x" * (MAX_FILE_BYTES + 1)),
        ("content", "长" * (MAX_FILE_BYTES // 3 + 1)),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_cannot_be_is_400_names_the_field_and_makes_no_task(
    field: str, value: object, api: Api
) -> None:
    answer = await api.client.post(PATH, json={"id": "bot_1", "content": "new"} | {field: value})

    assert answer.status_code == 400, answer.text
    assert answer.json()["data"]["fields"][0]["field"] == field
    assert len(answer.content) < 2000
    assert await count_rows(api) == 0


async def test_half_of_a_surrogate_pair_is_400(api: Api) -> None:
    answer = await api.client.post(
        PATH, content='{"id": "main", "content": "\\ud83e"}', headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "content"


@pytest.mark.parametrize("text", ["", "长" * (MAX_FILE_BYTES // 3), "\x00"])
async def test_every_text_that_a_file_can_hold_is_taken(text: str, api: Api) -> None:
    body = json.dumps({"id": "main", "content": text})  # Chinese as escapes: twice as long
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}

    answer = await api.client.post(PATH, content=body, headers=headers)

    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (None, None),
        (TAG, (TAG,)),
        (f"W/{TAG}", (TAG,)),
        (TAG.strip('"'), (TAG,)),
        (f'"x", {TAG}', ('"x"', TAG)),
        ("*", ("*",)),
        ("", ()),
    ],
)
def test_if_match_names_the_tags_that_were_given_out(
    header: str | None, tags: tuple[str, ...] | None
) -> None:
    assert required(header) == tags


async def test_the_tags_go_to_the_worker(api: Api) -> None:
    row = await row_of(api, await queued(api, headers={"If-Match": TAG}))
    assert row.payload["if_match"] == [TAG]


async def test_a_key_finds_the_task_of_the_same_text_only(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = await queued(api, headers=key)

    assert await queued(api, headers=key) == first
    other = await save(api, content="newer", headers=key)
    assert (other.status_code, other.json()["data"]["error"]) == (409, "idempotency_conflict")


async def test_a_task_without_its_text_cannot_be_retried(api: Api) -> None:
    task_id = await queued(api)
    await claim(api, task_id)
    await finish(api, task_id, status=TaskStatus.FAILED)

    answer = await api.client.post(f"/v1/tasks/{task_id}/retry")

    assert answer.status_code == 409
    assert "text" in answer.json()["message"]
