"""What counts as a proper answer."""

from typing import Any

import httpx
import pytest

from buddy_common.errors import BuddyError
from chaos.caller import Caller, ImproperError, judge, judge_chat
from chaos.facts import End, Facts

REFUSED = {"code": 503, "message": "No broker.", "data": {"error": "broker_unavailable"}}
CHAT_REFUSED = {"error": {"message": "No gateway.", "type": "server_error", "code": "gateway_unreachable"}}


def test_an_answer_in_the_envelope_is_proper() -> None:
    assert judge(200, {"code": 200, "message": "success", "data": [1]}).data == [1]
    assert judge(503, REFUSED).error == "broker_unavailable"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": 1}),
        (200, {"code": 202, "message": "success"}),
        (503, {"code": 503, "message": "Not ready", "data": {}}),
        (500, {"code": 500, "message": "Oh.", "data": {"error": "internal_error"}}),
        (502, "Bad gateway"),
    ],
)
def test_one_without_the_envelope_or_with_a_bug_of_ours_is_not(status: int, body: Any) -> None:
    with pytest.raises(ImproperError):
        judge(status, body)


def test_a_chat_answers_in_the_shape_of_openai() -> None:
    assert judge_chat(200, {"choices": []}).is_good
    assert judge_chat(502, CHAT_REFUSED).error == "gateway_unreachable"
    bug = {"error": {"message": "Oh.", "type": "server_error", "code": BuddyError.error}}
    for status, body in ((502, {"detail": "x"}), (500, {"error": "x"}), (200, []), (500, bug)):
        with pytest.raises(ImproperError):
            judge_chat(status, body)


@pytest.mark.parametrize(
    ("answer", "end", "said"),
    [
        (httpx.Response(503, json=REFUSED), End.ANSWERED, "503 broker_unavailable"),
        (httpx.Response(200, text="<html>"), End.IMPROPER, "improper: 200 without JSON: '<html>'"),
        (httpx.ReadError("reset"), End.CUT, "cut"),
        (TimeoutError(), End.HUNG, "hung"),
    ],
)
async def test_each_request_is_noted_with_its_end(
    answer: httpx.Response | Exception, end: End, said: str
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        del request
        if isinstance(answer, Exception):
            raise answer
        return answer

    facts = Facts()
    caller = Caller("reader", "http://buddy", "token", facts)
    caller.http = httpx.AsyncClient(base_url="http://buddy", transport=httpx.MockTransport(handle))

    await caller.ask("GET", "/v1/nodes")

    await caller.close()
    (request,) = facts.requests
    assert (request.kind, request.what, request.end, request.said) == ("reader", "GET /v1/nodes", end, said)


async def test_the_task_that_comes_with_an_answer_is_remembered_even_of_a_failure() -> None:
    body = {"code": 502, "message": "Undone.", "data": {"error": "config_undone", "taskID": "task-1"}}
    transport = httpx.MockTransport(lambda _: httpx.Response(502, json=body))
    facts = Facts()
    caller = Caller("writer", "http://buddy", "token", facts)
    caller.http = httpx.AsyncClient(base_url="http://buddy", transport=transport)

    await caller.ask("POST", "/v1/openclaw/models/provider")

    await caller.close()
    assert facts.accepted == {"task-1"}
