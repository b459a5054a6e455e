"""The OpenAPI document is complete: what a route takes, all that it answers, and the guide's examples."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from buddy_api import reference
from contract.guide import GuideRoute, guide_routes, misfits, route_key

PUBLIC = {"GET /health", "GET /ready", "POST /login"}
STREAMS = {"GET /v1/tasks/{}/events": "text/event-stream", "GET /metrics": "text/plain"}
# a prefix whose routes the proxy answers, in front of which no document of the api stands
PROXIED = re.compile(r"^(WEBSOCKET|ANY) |/chat/completions$")
# what a client that asks well gets, without a body
BARE = {"204", "304"}


@dataclass(frozen=True)
class Operation:
    """One route of the document."""

    key: str
    path: str
    method: str
    says: dict[str, Any]
    document: dict[str, Any]

    @property
    def statuses(self) -> set[str]:
        return set(self.says["responses"])

    @property
    def has_input(self) -> bool:
        return bool(self.says.get("parameters")) or "requestBody" in self.says

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            part = self.document["components"]["schemas"][name]
        return part

    def example(self, schema: dict[str, Any]) -> Any:
        """Return the example of a schema, put together from those of its parts."""
        schema = self.resolve(schema)
        for name, found in (
            ("example", schema.get("example")),
            ("examples", schema.get("examples", [None])[0]),
        ):
            if name in schema:
                return found
        for choice in ("anyOf", "oneOf"):
            parts = [part for part in schema.get(choice, []) if part.get("type") != "null"]
            if parts:
                return self.example(parts[0])
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        if "properties" in schema:
            return {name: self.example(part) for name, part in schema["properties"].items()}
        return schema.get("default")

    def answer(self, status: int) -> Any:
        """Return the example of the `data` of an answer."""
        content = self.says["responses"][str(status)]["content"]["application/json"]
        if "example" in content:
            return content["example"]["data"]
        return self.example(self.resolve(content["schema"])["properties"]["data"])


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    document = reference.document()
    return [
        Operation(route_key(method.upper(), path), path, method.upper(), says, document)
        for path, methods in document["paths"].items()
        for method, says in methods.items()
    ]


def lacking(operations: list[Operation], needed: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return which operation lacks which of the answers that it needs."""
    found = {each.key: needed.get(each.key, set()) - each.statuses for each in operations}
    return {key: statuses for key, statuses in found.items() if statuses}


def test_every_route_has_a_title_a_description_and_a_place(operations: list[Operation]) -> None:
    titles = []
    for each in operations:
        assert each.says["description"].strip().endswith((".", "?")), each.key
        assert len(each.says["tags"]) == 1, each.key
        titles.append((each.says["tags"][0], each.says["summary"]))
    assert len(titles) > 70
    assert len(set(titles)) == len(titles), "two routes of one group have the same title"


def test_every_answer_has_its_shape_or_its_media_type(operations: list[Operation]) -> None:
    for each in operations:
        for status, answer in each.says["responses"].items():
            assert answer["description"], (each.key, status)
            if status in BARE:
                assert "content" not in answer, (each.key, status)
            elif status.startswith("2") and each.key in STREAMS:
                assert set(answer["content"]) == {STREAMS[each.key]}
            else:
                schema = each.resolve(answer["content"]["application/json"]["schema"])
                assert set(schema["properties"]) == {"code", "message", "data"}, (each.key, status)


def test_every_parameter_and_every_body_has_its_shape(operations: list[Operation]) -> None:
    bodies = 0
    for each in operations:
        for parameter in each.says.get("parameters", []):
            assert parameter["schema"], (each.key, parameter["name"])
        if "requestBody" in each.says:
            (content,) = each.says["requestBody"]["content"].items()
            assert content[0] == "application/json"
            assert isinstance(each.example(content[1]["schema"]), dict), each.key
            bodies += 1
    assert bodies > 20


def test_every_route_says_how_it_may_fail(operations: list[Operation]) -> None:
    needed: dict[str, set[str]] = {}
    for each in operations:
        # the database is asked about cookies and tickets
        statuses = set() if each.key in {"GET /health", "GET /ready"} else {"401", "503"}
        statuses |= {"403"} if each.method != "GET" and each.key not in PUBLIC else set()
        statuses |= {"404"} if "{" in each.path else set()
        statuses |= {"400"} if each.has_input else set()
        statuses |= {"413"} if "requestBody" in each.says else set()
        statuses |= {"500", "504", "409"} if {"200", "202"} <= each.statuses else set()
        needed[each.key] = statuses
    needed["POST /login"].add("429")
    needed["POST /v1/tasks/{}/cancel"] -= {"500", "504"}  # it ends a task, whatever that was about

    assert lacking(operations, needed) == {}
    assert "404" in needed["DELETE /v1/openclaw/skills/{}"]


def test_every_route_but_the_public_ones_asks_for_the_token(operations: list[Operation]) -> None:
    open_ones = {each.key for each in operations if not each.says.get("security")}
    assert open_ones == PUBLIC


def of_the_guide() -> Iterator[GuideRoute]:
    yield from (route for route in guide_routes() if not PROXIED.search(route.key))


@pytest.mark.parametrize(
    "route", [route for route in of_the_guide() if route.data is not None], ids=lambda route: route.key
)
def test_an_answer_of_the_guide_is_an_example_of_the_document(
    route: GuideRoute, operations: list[Operation]
) -> None:
    (each,) = [each for each in operations if each.key == route.key]
    example = each.answer(route.status)

    assert misfits(route.data, example) == []
    if isinstance(route.data, dict):
        said = {name: route.data[name] for name in ("status", "message") if name in route.data}
        assert {name: example[name] for name in said} == said


@pytest.mark.parametrize(
    "route", [route for route in of_the_guide() if route.body is not None], ids=lambda route: route.key
)
def test_a_request_of_the_guide_is_an_example_of_the_document(
    route: GuideRoute, operations: list[Operation]
) -> None:
    (each,) = [each for each in operations if each.key == route.key]
    example = each.example(each.says["requestBody"]["content"]["application/json"]["schema"])

    assert misfits(route.body, example) == []


async def test_no_route_of_the_guide_is_unknown_or_not_implemented(app: FastAPI) -> None:
    """Asked without a token, each answers what it is; an unknown path would be 404."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://buddy.test") as client:
        asked = 0
        for route in of_the_guide():
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            answer = await client.request(route.method, path)
            statuses = {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}
            assert answer.status_code in statuses, (route.key, answer.text)
            asked += 1
        assert asked > 45
        assert (await client.get("/v1/openclaw/nothing")).status_code == HTTPStatus.NOT_FOUND
