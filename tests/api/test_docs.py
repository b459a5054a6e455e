"""The OpenAPI document says what the routes really do."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.conftest import Api

CHAT = "/v1/openclaw/chat/completions"  # has OpenAI's shapes, which the contract tests look at
NO_JSON = {"/metrics": {"text/plain"}, "/v1/tasks/{task_id}/events": {"text/event-stream"}}


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    answer = await api.client.get("/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def responses(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                yield path, method, status, response


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if "$ref" in part else [])
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from references(item)


def resolve(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_every_route_says_what_it_does(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)


def test_every_good_answer_is_an_envelope_with_an_example(document: dict[str, Any]) -> None:
    for path, method, status, response in responses(document):
        if not status.startswith("2") or status == "204" or path == CHAT:
            continue
        if path in NO_JSON:
            assert set(response.get("content", {})) == NO_JSON[path]
            continue
        envelope = resolve(document, response["content"]["application/json"]["schema"]["$ref"])
        assert set(envelope["properties"]) == {"code", "message", "data"}, (method, path)
        for reference in references(envelope["properties"]["data"]):
            assert resolve(document, reference)["example"], (method, path, reference)


def test_every_failure_is_an_envelope_with_an_example(document: dict[str, Any]) -> None:
    seen = 0
    for path, method, status, response in responses(document):
        if status.startswith("2") or status == "304" or path in {"/ready", CHAT}:
            continue
        content = response["content"]
        assert set(content) == {"application/json"}, (method, path, status)
        assert content["application/json"]["schema"]["$ref"].endswith("/Envelope_Problem_")
        assert content["application/json"]["example"]["code"] == int(status)
        seen += 1
    assert seen > 50


def test_what_is_malformed_is_never_422(document: dict[str, Any]) -> None:
    assert "422" not in {status for _, _, status, _ in responses(document)}
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > 10
    for reference in found:
        assert resolve(document, reference)


def test_routes_that_take_a_key_say_so(document: dict[str, Any]) -> None:
    taking = {
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    }
    making_tasks = {
        f"{method} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "202" in operation["responses"] and not path.endswith("/cancel")
    }
    assert taking == making_tasks
    assert {"post /v1/gateway/restart", "delete /v1/openclaw/models/provider/{provider}"} <= taking


def test_a_task_is_shown_with_its_attempts_and_what_it_repeats(document: dict[str, Any]) -> None:
    task = document["components"]["schemas"]["TaskView"]
    assert {"attempts", "retryOf"} <= set(task["properties"])
    assert task["example"]["attempts"] == 1
    assert set(task["example"]) <= set(task["properties"])


def test_a_stream_of_events_is_shown_with_its_events(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/tasks/{task_id}/events"]["get"]
    example = operation["responses"]["200"]["content"]["text/event-stream"]["example"]

    for event in ("task", "output", "done"):
        assert f"event: {event}\n" in example
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "task_id",
        "after",
        "Last-Event-ID",
    }
    assert {"400", "401", "404", "503"} <= set(operation["responses"])


def test_the_token_is_a_bearer_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
