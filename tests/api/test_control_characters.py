"""No parameter of any route lets a control character through: PostgreSQL refuses NUL in a text, by a 500."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.conftest import Api
from buddy_api import reference


def texts() -> Iterator[tuple[str, str, str, str]]:
    """Yield method, path, place and name of each parameter that is a text."""
    for path, methods in reference.document()["paths"].items():
        for method, says in methods.items():
            for parameter in says.get("parameters", []):
                if parameter["in"] != "header" and is_text(parameter["schema"]):
                    yield method.upper(), path, parameter["in"], parameter["name"]


def is_text(schema: dict[str, Any]) -> bool:
    return any(part.get("type", "string") == "string" for part in schema.get("anyOf", [schema]))


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """Return what programs read of a failure, in either shape."""
    body: dict[str, dict[str, Any]] = answer.json()
    return body["error"] if "error" in body else body["data"]


TEXTS = sorted(set(texts()))
# Starlette leaves a newline out that ends a path of `{id:path}`, so the route gets `a`
CUT_OFF = {("/v1/openclaw/plugins/{id}", "a%0A")}


def test_all_texts_are_found() -> None:
    assert len(TEXTS) > 80
    assert {place for _, _, place, _ in TEXTS} == {"query", "path"}
    assert ("GET", "/v1/system/events", "query", "user") in TEXTS


@pytest.mark.parametrize("value", ["a%00b", "a%0A", "%1B[0m"])
async def test_a_control_character_is_refused_by_name(value: str, api: Api) -> None:
    let_through = []
    for method, path, place, name in TEXTS:
        if (path, value) in CUT_OFF and place == "path":
            continue
        filled = path.replace(f"{{{name}}}", value) if place == "path" else path
        url = re.sub(r"\{[^}]*\}", "1", filled)
        query = f"?{name}={value}" if place == "query" else ""
        answer = await api.client.request(method, url + query)
        problem = problem_of(answer) if 400 <= answer.status_code < 500 else {}
        named = name in [field["field"] for field in problem.get("fields", [])]
        if not named and "unknown_node" not in (problem.get("error"), problem.get("code")):
            let_through.append((method, path, name, answer.status_code, answer.text[:200]))

    assert let_through == []


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/v1/system/events", {"action": "restart_gateway", "user": "admin"}),
        ("/v1/tasks/status", {"module": "gateway"}),
        ("/v1/openclaw/experts", {"category": "engineering"}),
    ],
)
async def test_what_such_a_parameter_is_there_for_goes_through(
    path: str, values: dict[str, str], api: Api
) -> None:
    assert (await api.client.get(path, params=values)).status_code == 200
