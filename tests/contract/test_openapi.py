"""The OpenAPI document is complete: what a route takes, all that it answers, and the guide's examples."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI

from contract.guide import GuideRoute, guide_routes, misfits
from contract.operations import Operation, all_operations

PUBLIC = {"GET /health", "GET /ready", "POST /login"}
STREAMS = {"GET /v1/tasks/{}/events": "text/event-stream", "GET /metrics": "text/plain"}
# no envelope, and failures of its own: clients of OpenAI read them
CHAT = "POST /v1/openclaw/chat/completions"
# what OpenAPI does not know, and what passes on any page of the gateway's
UNKNOWN = re.compile(r"^(WEBSOCKET|ANY) ")
# what a client that asks well gets, without a body
BARE = {"204", "304", "307"}


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    return all_operations()


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
    for each in (each for each in operations if each.key != CHAT):
        for status, answer in each.says["responses"].items():
            assert answer["description"], (each.key, status)
            if status in BARE:
                assert "content" not in answer, (each.key, status)
            elif status.startswith("2") and each.key in STREAMS:
                assert set(answer["content"]) == {STREAMS[each.key]}
            else:
                schema = each.resolve(answer["content"]["application/json"]["schema"])
                assert set(schema["properties"]) == {"code", "message", "data"}, (each.key, status)


def test_a_chat_has_the_shapes_of_openai(operations: list[Operation]) -> None:
    (chat,) = [each for each in operations if each.key == CHAT]
    answers = dict(chat.says["responses"])
    good = answers.pop("200")["content"]
    request = chat.example(chat.says["requestBody"]["content"]["application/json"]["schema"])

    assert set(good) == {"application/json", "text/event-stream"}
    said = chat.example(good["application/json"]["schema"])
    assert said["choices"][0]["message"]["role"] == "assistant"
    assert "[DONE]" in good["text/event-stream"]["example"]
    assert (request["model"], request["messages"][0]["role"]) == ("openclaw/main", "user")
    assert {"400", "401", "403", "404", "413", "429", "501", "502", "503", "504"} <= set(answers)
    for status, answer in answers.items():
        assert answer["description"], status
        if status not in BARE:
            failure = chat.resolve(answer["content"]["application/json"]["schema"])
            assert set(failure["properties"]) == {"error"}, status
    assert {each["name"] for each in chat.says["parameters"]} == {"node", "X-Buddy-Node"}


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


def test_who_is_answered_with_a_task_is_told_where_it_is_followed(operations: list[Operation]) -> None:
    names = {each.says["operationId"] for each in operations}
    accepting = [each for each in operations if "202" in each.statuses]
    assert len(accepting) > 30
    for each in accepting:
        links = each.says["responses"]["202"]["links"]
        assert set(links) == {"follow", "cancel"}
        assert {link["operationId"] for link in links.values()} <= names
        assert "taskID" in each.answer(202)


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
    yield from (route for route in guide_routes() if not UNKNOWN.search(route.key))


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
