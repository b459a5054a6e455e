"""Every answer, the framework's own failures too, comes in the envelope and with the headers."""

from collections.abc import AsyncIterator

import httpx
import pytest

from api.conftest import Api


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/v1/no-such-route", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("DELETE", "/health", 405, "method_not_allowed"),
        ("GET", "/v1/gateway/restart", 405, "method_not_allowed"),
        ("POST", "/v1/gateway/explode", 404, "not_found"),
        ("GET", "/v1/tasks/status?limit=0", 400, "invalid_request"),
        ("GET", "/v1/tasks/status?limit=many", 400, "invalid_request"),
        ("GET", "/v1/tasks/status?status=Nope", 400, "invalid_request"),
        ("GET", "/v1/tasks/status?taskId=task-0", 404, "unknown_task"),
        ("GET", "/v1/system/events?since=yesterday", 400, "invalid_request"),
        ("GET", "/v1/system/events?since=2026-03-28T10:00:00", 400, "invalid_request"),
        ("GET", "/v1/system/events?since=0001-01-01T00:00:00%2B14:00", 400, "invalid_request"),
        ("GET", "/v1/system/events?before=99999999999999999999", 400, "invalid_request"),
        ("GET", "/v1/openclaw/status?node=nowhere", 404, "unknown_node"),
        ("POST", "/v1/gateway/restart?node=nowhere", 404, "unknown_node"),
        ("GET", "/v1/openclaw/status", 503, "not_reported"),
    ],
)
async def test_failures_come_in_the_envelope(
    method: str, path: str, status: int, slug: str, api: Api
) -> None:
    answer = await api.client.request(method, path)
    body = answer.json()
    assert answer.status_code == body["code"] == status
    assert body["data"]["error"] == slug
    assert body["message"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"{", "1"),
        (b"[]", "body"),
        (b'{"token": 5}', "token"),
        (b"{}", "token"),
        (b'{"token": "' + b"x" * 2000 + b'"}', "token"),
    ],
)
async def test_a_malformed_body_is_400_and_names_the_field(content: bytes, field: str, api: Api) -> None:
    answer = await api.stranger.post("/login", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert field in answer.json()["message"]


async def test_unknown_fields_are_ignored(api: Api) -> None:
    answer = await api.client.post("/v1/gateway/stop", json={"force": True, "colour": "red"})
    assert answer.status_code == 202


async def test_a_wrong_type_in_a_command_changes_nothing(api: Api) -> None:
    answer = await api.client.post("/v1/gateway/stop", json={"force": "perhaps"})
    assert answer.status_code == 400
    assert "force" in answer.json()["message"]
    assert (await api.client.get("/v1/tasks/status")).json()["data"] == []


async def test_a_body_over_the_limit_is_413_by_its_declared_length(api: Api) -> None:
    answer = await api.client.post("/login", content=b"x" * (5 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["data"]["error"] == "body_too_large"


async def test_a_body_over_the_limit_is_413_when_it_comes_in_pieces(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 65536

    answer = await api.client.post("/login", content=pieces())
    assert answer.status_code == 413
    assert answer.json()["data"]["error"] == "body_too_large"


async def test_a_nonsense_content_length_is_refused(api: Api) -> None:
    answer = await api.client.post("/login", content=b"{}", headers={"Content-Length": "-1"})
    assert answer.status_code == 413


async def test_an_unexpected_failure_is_500_without_its_details(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(_node: str, _resource: str) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(api.wiring.read_model, "get", explode)
    answer = await api.client.get("/v1/openclaw/status")

    assert answer.status_code == 500
    assert answer.json()["data"]["error"] == "internal_error"
    assert "secret detail" not in answer.text
    assert answer.json()["data"]["requestId"] == answer.headers["x-request-id"]


async def test_every_answer_has_a_request_id_and_the_security_headers(api: Api) -> None:
    answers: list[httpx.Response] = [
        await api.stranger.get("/health"),
        await api.stranger.get("/v1/nodes"),
        await api.stranger.get("/nothing"),
        await api.client.post("/login", content=b"x" * (5 * 1024 * 1024 + 1)),
    ]
    for answer in answers:
        assert answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("a b", False), ("x" * 65, False), ("é", False)]
)
async def test_a_decent_request_id_is_kept(given: str, kept: bool, api: Api) -> None:  # noqa: FBT001 - a parameter of the test
    answer = await api.stranger.get("/health", headers=[(b"X-Request-ID", given.encode())])
    assert (answer.headers["x-request-id"] == given) is kept
