"""The body of a request to the panel: whole and in order, and whoever sends it is missed when gone."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from buddy_common.errors import InvalidRequestError
from buddy_proxy.panel import Incoming

Message = MutableMapping[str, Any]
UPLOAD = {"method": "POST", "headers": [(b"content-length", b"100")]}


def incoming(*messages: Message) -> Incoming:
    """Return a body whose client sends these, and then leaves."""
    coming = [*messages, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    return Incoming(UPLOAD, receive)


PART = {"type": "http.request", "body": b"x", "more_body": True}
LAST = {"type": "http.request", "body": b"x", "more_body": False}


@pytest.mark.parametrize("messages", [[PART], [PART, LAST]])
async def test_a_client_that_leaves_is_noticed_while_the_gateway_takes_nothing(
    messages: list[Message],
) -> None:
    came = incoming(*messages)
    body = came.body()
    assert await anext(body) == b"x"
    async with asyncio.timeout(2):
        await came.left()
    await body.aclose()


async def test_who_stops_reading_a_body_hands_the_watch_over() -> None:
    came = incoming(PART, PART, PART)
    body = came.body()
    await anext(body)
    leaving = asyncio.create_task(came.left())
    await body.aclose()
    async with asyncio.timeout(2):
        await leaving


async def test_a_body_comes_whole_and_in_order() -> None:
    came = incoming(PART | {"body": b"1"}, PART | {"body": b""}, PART | {"body": b"2"}, LAST)
    assert [piece async for piece in came.body()] == [b"1", b"2", b"x"]
    short = incoming(PART)
    with pytest.raises(InvalidRequestError):
        assert [piece async for piece in short.body()]
