"""Whom a chat is for."""

import json
from typing import Any

import pytest

from buddy_common.errors import NoSuchAgentError
from buddy_proxy.chat_body import ChatBody, prepare

BOTS = frozenset({"main", "helper"})


def prepared(content: bytes, *, names_agent: bool = False) -> ChatBody:
    return prepare(content, default_bot="main", bots=BOTS, names_agent=names_agent)


@pytest.mark.parametrize(
    "model", [{}, {"model": "openclaw"}, {"model": "gpt-4o"}, {"model": None}, {"model": 7}]
)
def test_without_a_bot_the_default_one_is_meant(model: dict[str, Any]) -> None:
    rest = {"messages": [{"role": "user", "content": "嗨 😀"}], "user": "alice", "temperature": 0.5}
    body = prepared(json.dumps({**model, **rest}).encode())
    assert json.loads(body.content) == {**rest, "model": "openclaw/main"}


@pytest.mark.parametrize("model", ["openclaw/helper", "openclaw/Helper", "openclaw/default"])
def test_a_bot_that_is_named_is_kept_and_the_bytes_with_it(model: str) -> None:
    content = b'{ "model" : "%s", "n":1.0,  "messages": [] }' % model.encode()
    assert prepared(content).content == content


def test_a_header_that_names_a_bot_is_not_overruled() -> None:
    assert json.loads(prepared(b'{"model":"gpt-4o"}', names_agent=True).content)["model"] == "openclaw"
    assert prepared(b'{"model":"openclaw"}', names_agent=True).content == b'{"model":"openclaw"}'


def test_an_unknown_bot_is_refused_before_the_older_openclaw_makes_a_folder_for_it() -> None:
    with pytest.raises(NoSuchAgentError, match="nope"):
        prepared(b'{"model":"openclaw/nope"}')


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_left_to_the_gateway(content: bytes) -> None:
    assert prepared(content) == ChatBody(content, streamed=False)


@pytest.mark.parametrize(
    ("said", "streamed"), [("true", True), ("false", False), ("1", False), ("null", False)]
)
def test_a_stream_is_what_asks_for_one(said: str, *, streamed: bool) -> None:
    assert prepared(b'{"model":"openclaw/main","stream":%s}' % said.encode()).streamed is streamed
