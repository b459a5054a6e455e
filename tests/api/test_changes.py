"""A change is answered with its outcome, with 202, or with its failure; and never with its secret."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from api.acting import audit, claim, count_rows, finish, messages, poll, row_of
from api.changing import assert_refused, task_ids, worker
from api.conftest import TOKEN, Api, client_of
from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_common.adapters.sealed_payloads import SealedPayloads
from buddy_common.errors import BuddyError
from buddy_common.schemas.model_jobs import SetProviderJob
from buddy_common.schemas.tasks import TaskStatus
from fakes.ports import free_port

SECRET = "sk-0123456789abcd"
HASH = "0123456789abcdef" * 4
MODEL = ("/v1/openclaw/bots/set-model", {"id": "main", "model": "yovole/glm-5"})
PROVIDER = (
    "/v1/openclaw/models/provider",
    {"provider": "aliyun", "apiKey": SECRET, "headers": {"X-Org": SECRET}},
)


@pytest.fixture
def impatient(app: FastAPI, api_environment: pytest.MonkeyPatch) -> FastAPI:
    """A second app, which does not wait long."""
    del app  # it was built with the settings of before
    api_environment.setenv("BUDDY_WAIT_SECONDS", "0.2")
    return create_app(ApiConfig.from_environment())


@pytest.fixture
def cut_off(app: FastAPI, api_environment: pytest.MonkeyPatch) -> FastAPI:
    """A second app, which has no broker."""
    del app
    api_environment.setenv("BUDDY_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    return create_app(ApiConfig.from_environment())


async def change(api: Api, asked: tuple[str, Any] = MODEL, /, **headers: str) -> httpx.Response:
    path, body = asked
    return await api.client.post(path, json=body, headers=headers)


def all_kinds(kind: type[BuddyError] = BuddyError) -> list[type[BuddyError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in all_kinds(below))]


async def test_a_change_is_answered_as_the_guide_shows_it(api: Api) -> None:
    async with worker(api, result={"changed": ["a.b"], "applied": "hot"}):
        answer = await change(api)

    (task_id,) = await task_ids(api)
    assert answer.status_code == 200
    assert answer.json() == {
        "code": 200,
        "message": "success",
        "data": {
            "status": "success",
            "message": "模型修改成功",
            "taskID": task_id,
            "result": {"changed": ["a.b"], "applied": "hot"},
        },
    }
    (event,) = await audit(api)
    assert (event["action"], event["status"], event["target"]) == ("set_model_bots", "success", "main")


async def test_a_change_without_a_result_has_an_empty_one(api: Api) -> None:
    async with worker(api):
        answer = await change(api)
    assert answer.json()["data"]["result"] == {}


async def test_who_does_not_want_to_wait_gets_202_and_the_task(api: Api) -> None:
    answer = await change(api, Prefer="respond-async")

    (task_id,) = await task_ids(api)
    assert answer.status_code == answer.json()["code"] == 202
    assert answer.json()["data"] == {"taskID": task_id}
    assert answer.json()["message"] == "Set bot model initiated"


async def test_who_waits_too_long_gets_202_and_the_task(impatient: FastAPI, api: Api) -> None:
    async with client_of(impatient, token=TOKEN) as client:
        answer = await client.post(MODEL[0], json=MODEL[1])
    await wiring_of(impatient).close()

    assert answer.status_code == 202
    assert answer.json()["data"] == {"taskID": (await task_ids(api))[0]}


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.__name__)
def test_every_slug_has_one_status(kind: type[BuddyError]) -> None:
    alike = {other.status for other in all_kinds() if other.error == kind.error}
    assert alike == {kind.status}


@pytest.mark.parametrize(
    ("slug", "status"),
    [
        ("unknown_bot", 404),
        ("unknown_provider", 404),
        ("unknown_model", 400),
        ("invalid_request", 400),
        ("config_rejected", 400),
        ("protected_bot", 403),
        ("bot_exists", 409),
        ("config_changed", 409),
        ("config_unreadable", 409),
        ("in_use", 409),
        ("workspace_in_use", 409),
        ("include_unsupported", 409),
        ("config_undone", 502),
        ("gateway_unreachable", 502),
        ("openclaw_not_found", 503),
        ("internal_error", 500),
        ("of_a_version_to_come", 500),
        (None, 500),
    ],
)
async def test_a_failure_has_the_status_of_its_slug(slug: str | None, status: int, api: Api) -> None:
    outcome = {"error": "It did not work.", "error_code": slug, "result": {"known": ["x"]}}
    async with worker(api, TaskStatus.FAILED, **outcome):
        answer = await change(api)

    (task_id,) = await task_ids(api)
    assert answer.status_code == status
    assert answer.json() == {
        "code": status,
        "message": "It did not work.",
        "data": {"known": ["x"], "error": slug or "internal_error", "taskID": task_id},
    }


async def test_a_detail_cannot_take_the_place_of_slug_and_task(api: Api) -> None:
    async with worker(api, TaskStatus.FAILED, error_code="in_use", result={"error": "x", "taskID": "y"}):
        answer = await change(api)

    assert answer.json()["data"] == {"error": "in_use", "taskID": (await task_ids(api))[0]}
    assert answer.json()["message"] == "Failed"


@pytest.mark.parametrize(
    ("status", "code"),
    [(TaskStatus.TIMEOUT, 504), (TaskStatus.CANCELLED, 409), (TaskStatus.INTERRUPTED, 503)],
)
async def test_a_change_that_was_cut_off_says_how(status: TaskStatus, code: int, api: Api) -> None:
    async with worker(api, status, error="Cut off.", error_code="job_cut_off"):
        answer = await change(api)

    assert answer.status_code == answer.json()["code"] == code
    assert answer.json()["message"] == "Cut off."


async def test_a_repeat_with_the_same_key_makes_no_second_task(api: Api) -> None:
    async with worker(api, result={"changed": ["a"]}):
        first = await change(api, **{"Idempotency-Key": "k"})

    second = await change(api, **{"Idempotency-Key": "k"})

    assert second.status_code == 200
    assert second.json() == first.json()
    assert await count_rows(api) == 1


async def test_a_repeat_of_what_failed_is_answered_with_that_failure(api: Api) -> None:
    async with worker(api, TaskStatus.FAILED, error="No.", error_code="unknown_bot"):
        first = await change(api, **{"Idempotency-Key": "k"})
    second = await change(api, **{"Idempotency-Key": "k"})

    assert (second.status_code, second.json()) == (404, first.json())


async def test_another_change_with_the_same_key_is_409(api: Api) -> None:
    await change(api, **{"Idempotency-Key": "k", "Prefer": "respond-async"})

    answer = await change(api, (MODEL[0], {"id": "main", "model": "other"}), **{"Idempotency-Key": "k"})

    assert answer.status_code == 409
    assert answer.json()["data"]["error"] == "idempotency_conflict"
    assert await count_rows(api) == 1


async def test_another_base_is_another_change(api: Api) -> None:
    headers = {"Idempotency-Key": "k", "Prefer": "respond-async"}
    await change(api, **headers)
    assert (await change(api, **headers, **{"If-Match": HASH})).status_code == 409


@pytest.mark.parametrize("value", [HASH, f'"{HASH}"'])
async def test_the_hash_that_the_client_has_seen_goes_with_the_job(value: str, api: Api) -> None:
    await change(api, **{"If-Match": value, "Prefer": "respond-async"})

    (task_id,) = await task_ids(api)
    assert (await row_of(api, task_id)).payload["base_hash"] == HASH


@pytest.mark.parametrize(
    "value", ["", "x", HASH[1:], HASH + "0", HASH.upper(), f"W/{HASH}", f"{HASH},{HASH}", "*"]
)
async def test_an_if_match_that_is_no_hash_is_400(value: str, api: Api) -> None:
    await assert_refused(api, await change(api, **{"If-Match": value}), "If-Match")


@pytest.mark.parametrize("asked", [MODEL, PROVIDER])
async def test_who_is_not_signed_in_changes_nothing(asked: tuple[str, Any], api: Api) -> None:
    answer = await api.stranger.post(asked[0], json=asked[1])

    assert answer.status_code == 401
    assert await count_rows(api) == 0


async def test_a_node_that_nobody_knows_is_404(api: Api) -> None:
    answer = await api.client.post(MODEL[0], json=MODEL[1], params={"node": "nowhere"})

    assert answer.status_code == 404
    assert answer.json()["data"]["error"] == "unknown_node"
    assert await count_rows(api) == 0


async def test_a_secret_is_in_no_row_event_log_answer_or_list(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        answer = await change(api, PROVIDER, Prefer="respond-async")
        task_id = answer.json()["data"]["taskID"]
        await claim(api, task_id)
        await finish(api, task_id, status=TaskStatus.FAILED, error="No.", error_code="config_rejected")
        repeat = await change(api, PROVIDER, Prefer="respond-async")

    row = await row_of(api, task_id)
    assert row.payload["config"] == {"apiKey": "sk-…abcd", "headers": {"X-Org": "sk-…abcd"}}
    assert row.payload["sealed"] is True
    seen = [
        str(row.model_dump()),
        answer.text,
        repeat.text,
        (await poll(api, task_id)).text,
        (await api.client.get("/v1/tasks/status")).text,
        str(await audit(api)),
        str(logs),
        capsys.readouterr().out,
        str(await messages(api)),
    ]
    assert all(SECRET not in text for text in seen)


async def test_a_secret_reaches_the_worker_once(api: Api) -> None:
    await change(api, PROVIDER, Prefer="respond-async")
    (task_id,) = await task_ids(api)
    sealed = SealedPayloads(api.wiring.redis)

    row = SetProviderJob.model_validate((await row_of(api, task_id)).payload)
    assert row.seal_key is not None

    fields = await sealed.take(task_id, key=row.seal_key)

    assert fields is not None
    job = row.unseal(fields)
    assert job.config == {"apiKey": SECRET, "headers": {"X-Org": SECRET}}
    assert (job.sealed, job.seal_key) == (False, None)
    assert await sealed.take(task_id, key=row.seal_key) is None


async def test_the_broker_never_has_a_secret_in_plain_text(api: Api) -> None:
    """It writes what it holds to its disk, where it outlives the task."""
    await change(api, PROVIDER, Prefer="respond-async")
    (task_id,) = await task_ids(api)

    held = await api.wiring.redis.get(f"buddy:sealed:{task_id}")

    assert held
    assert SECRET not in held


async def test_a_change_without_a_secret_is_whole_in_its_row(api: Api) -> None:
    await change(api, (PROVIDER[0], {"provider": "x", "apiKey": "${KEY}"}), Prefer="respond-async")

    (task_id,) = await task_ids(api)
    assert (await row_of(api, task_id)).payload == {
        "base_hash": None,
        "provider": "x",
        "config": {"apiKey": "${KEY}"},
    }
    assert await api.wiring.redis.keys("buddy:sealed:*") == []


async def test_a_secret_in_a_body_that_is_refused_is_not_repeated(api: Api) -> None:
    answer = await change(api, (PROVIDER[0], {"provider": "../x", "apiKey": SECRET, "models": SECRET}))

    assert answer.status_code == 400
    assert SECRET not in answer.text


async def test_a_change_that_came_with_a_secret_is_not_retried_without_it(api: Api) -> None:
    async with worker(api, TaskStatus.FAILED, error="No."):
        task_id = (await change(api, PROVIDER)).json()["data"]["taskID"]

    answer = await api.client.post(f"/v1/tasks/{task_id}/retry")

    assert answer.status_code == 409
    assert "secret" in answer.json()["message"]


async def test_a_broker_that_is_gone_fails_the_change_and_its_row(cut_off: FastAPI, api: Api) -> None:
    async with client_of(cut_off, token=TOKEN) as client:
        answer = await client.post(PROVIDER[0], json=PROVIDER[1])
    await wiring_of(cut_off).close()

    assert answer.status_code == 503
    (task_id,) = await task_ids(api)
    row = await row_of(api, task_id)
    assert row.status == TaskStatus.FAILED
    assert SECRET not in str(row.model_dump())
