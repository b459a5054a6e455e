"""`Idempotency-Key`: a repeat is answered with the first task, and makes no second one."""

import asyncio

import httpx
import pytest

from api.acting import audit, count_rows, messages, row_of, submit
from api.conftest import Api
from buddy_common.adapters.access import Operator, Via
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.db import nodes
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.model_jobs import SetProviderJob

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
ROUTES = [
    ("/v1/gateway/start", None),
    ("/v1/gateway/stop", {"force": True}),
    ("/v1/gateway/restart", {}),
    ("/v1/openclaw/plugins/install", {"spec": "@openclaw/voice-call"}),
]


async def restart(api: Api, key: str | None = None, **body: object) -> httpx.Response:
    headers = KEY if key is None else {"Idempotency-Key": key}
    return await api.client.post("/v1/gateway/restart", headers=headers, json=body)


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_a_repeat_returns_the_first_task(path: str, body: dict[str, object] | None, api: Api) -> None:
    first, second = [await api.client.post(path, headers=KEY, json=body) for _ in range(2)]

    assert second.status_code == first.status_code == 202
    assert second.json() == first.json()
    assert await count_rows(api) == 1
    assert len(await messages(api)) + len(await messages(api, "node.local.slow")) == 1
    assert len(await audit(api)) == 1


async def test_without_a_key_each_request_makes_a_task(api: Api) -> None:
    assert await submit(api) != await submit(api)


async def test_different_keys_make_different_tasks(api: Api) -> None:
    first, second = await restart(api, "a"), await restart(api, "b")
    assert first.json() != second.json()


async def test_a_body_that_means_the_same_is_the_same_request(api: Api) -> None:
    first, second = await restart(api), await restart(api, force=False, colour="red")
    assert second.json() == first.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/gateway/restart", {"force": True}), ("/v1/gateway/stop", {}), ("/v1/gateway/start", None)],
)
async def test_another_request_with_the_same_key_is_409(
    path: str, body: dict[str, object] | None, api: Api
) -> None:
    first = await restart(api)

    answer = await api.client.post(path, headers=KEY, json=body)

    assert answer.status_code == answer.json()["code"] == 409
    assert answer.json()["data"] == {
        "error": "idempotency_conflict",
        "taskID": first.json()["data"]["taskID"],
    }
    assert await count_rows(api) == 1


async def provider(api: Api, key: str) -> httpx.Response:
    """Ask for a provider, with a secret that its row shows the first and last characters of."""
    body = {"provider": "aliyun", "apiKey": key}
    headers = KEY | {"Prefer": "respond-async"}
    return await api.client.post("/v1/openclaw/models/provider", headers=headers, json=body)


async def test_a_repeat_with_a_secret_returns_the_first_task(api: Api) -> None:
    first, second = [await provider(api, "sk-first-secret-1234") for _ in range(2)]

    assert second.status_code == 202
    assert second.json() == first.json()
    assert await count_rows(api) == 1


async def test_the_same_request_with_a_secret_that_only_looks_the_same_is_409(api: Api) -> None:
    first = await provider(api, "sk-first-secret-1234")

    answer = await provider(api, "sk-other-secret-1234")

    assert answer.status_code == 409
    assert answer.json()["data"]["taskID"] == first.json()["data"]["taskID"]
    assert await count_rows(api) == 1


async def test_every_process_with_the_token_knows_a_repeat_and_no_other_can_try_secrets(api: Api) -> None:
    async def fingerprint(token: str, key: str) -> str | None:
        wiring = api.wiring
        queue = JobQueue(wiring.jobs._sender, wiring.database, wiring.redis, key=token.encode())
        task_id = await queue.submit(
            SetProviderJob(provider="aliyun", config={"apiKey": "sk-first-secret-1234"}),
            node="local",
            operator=Operator(name="admin", via=Via.BEARER, address=None),
            idempotency_key=key,
        )
        row = await row_of(api, task_id)
        assert "first-secret" not in row.model_dump_json()
        return row.fingerprint

    first = await fingerprint("one token", "a")

    assert await fingerprint("one token", "b") == first
    assert await fingerprint("another token", "c") != first


async def test_the_same_request_for_another_node_is_409(api: Api) -> None:
    await restart(api)
    await api.wiring.database.run(lambda s: nodes.touch(s, "other", hostname="there"))

    answer = await api.client.post("/v1/gateway/restart", headers=KEY, params={"node": "other"})

    assert answer.status_code == 409
    assert await messages(api, "node.other.fast") == []


async def test_the_key_of_another_actor_is_another_key(api: Api) -> None:
    ids = {
        await api.wiring.jobs.submit(
            RestartGatewayJob(),
            node="local",
            operator=Operator(name=name, via=Via.BEARER, address=None),
            idempotency_key="same",
        )
        for name in ("admin", "somebody")
    }
    assert len(ids) == 2


async def test_twenty_at_the_same_moment_make_one_task(api: Api) -> None:
    answers = await asyncio.gather(*(restart(api) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["data"]["taskID"] for answer in answers}) == 1
    assert await count_rows(api) == 1
    assert len(await messages(api)) == 1
    assert len(await audit(api)) == 1


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "schlüssel"])
async def test_a_bad_key_is_400_and_names_the_header(key: str, api: Api) -> None:
    answer = await api.client.post(
        "/v1/gateway/restart", headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "Idempotency-Key"
    assert await count_rows(api) == 0


async def test_the_longest_key_is_fine(api: Api) -> None:
    assert (await restart(api, "x" * 255)).status_code == 202
