"""What clients get of a stream, however the gateway cuts it up or ends it."""

import json

import pytest

from buddy_common.errors import GatewaySilentError
from buddy_proxy.chat_stream import DONE, MAX_LINE_BYTES, ChatStream

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"upstream provider error","type":"api_error"}}\n\n'


def through(*chunks: bytes) -> bytes:
    stream = ChatStream()
    return b"".join([*map(stream.feed, chunks), stream.end()])


def events(text: bytes) -> list[str]:
    """Read as a client does: the data of each event."""
    found = []
    for block in text.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if data:
            found.append(b"\n".join(data).decode())
    return found


def error_of(text: bytes) -> str:
    *_, last, done = events(text)
    assert done == "[DONE]"
    return str(json.loads(last)["error"]["code"])


@pytest.mark.parametrize(
    "whole",
    [
        ROLE + WORD + STOP + DONE,
        ROLE + WORD + WORD + DONE,
        b": a comment\n\n" + ROLE + WORD + DONE,
        b'data: {"choices":[{"delta":{"content":"say [DONE] and \\"error\\""}}]}\n\n' + STOP + DONE,
        b'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n\n' + DONE,
        ERROR + DONE,
        ROLE + WORD + ERROR + DONE,
        b'event: x\ndata: {"choices":[]}\n\n' + WORD + DONE,
        STOP + b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n' + DONE,
    ],
)
def test_a_good_stream_arrives_as_it_is_however_it_is_cut(whole: bytes) -> None:
    assert through(whole) == whole
    assert through(*(whole[place : place + 1] for place in range(len(whole)))) == whole
    for size in (2, 3, 7, 50):
        assert through(*(whole[place : place + size] for place in range(0, len(whole), size))) == whole


def test_lines_that_end_as_in_windows_are_read_as_well() -> None:
    assert events(through((ROLE + WORD + DONE).replace(b"\n", b"\r\n")))[-1] == "[DONE]"


@pytest.mark.parametrize("begun", [b"", ROLE])
def test_a_stream_of_nothing_but_its_end_is_a_failure_of_the_provider(begun: bytes) -> None:
    assert error_of(through(begun + DONE)) == "gateway_answer"


@pytest.mark.parametrize(
    "begun", [b"", ROLE, ROLE + WORD, WORD + WORD[:20], WORD + STOP, WORD + b"data: x\n"]
)
def test_a_stream_that_breaks_off_ends_with_an_error(begun: bytes) -> None:
    assert error_of(through(begun)) == "stream_broken"


def test_what_was_half_there_does_not_spoil_the_error() -> None:
    text = through(WORD, b'data: {"choices":[{"de')
    assert [json.loads(event) for event in events(text)[:-1]]


def test_an_error_without_an_end_gets_one() -> None:
    assert through(ERROR) == ERROR + DONE


@pytest.mark.parametrize("hidden", ['"no key"', '{"code":7}', '["a"]'])
def test_an_error_of_another_shape_gets_that_of_openai(hidden: str) -> None:
    text = through(WORD, b'data: {"error":' + hidden.encode() + b"}\n\n", DONE)
    assert isinstance(json.loads(events(text)[-2])["error"]["message"], str)


def test_nothing_follows_the_end() -> None:
    assert through(WORD, DONE, WORD) == WORD + DONE


def test_a_line_without_end_needs_no_memory_without_end() -> None:
    stream = ChatStream()
    piece = b"x" * 1000
    out = stream.feed(b"data: ")
    for _ in range(3 * MAX_LINE_BYTES // len(piece)):
        out += stream.feed(piece)
        assert len(stream._rest) <= MAX_LINE_BYTES + len(piece)
    out += stream.feed(b"\n\n" + DONE) + stream.end()
    assert out.startswith(b"data: xxx")
    assert out.endswith(b"x\n\n" + DONE)


def test_a_comment_may_stand_between_events_only() -> None:
    stream = ChatStream()
    assert stream.between_events
    stream.feed(WORD)
    assert stream.between_events
    stream.feed(b"event: x\n")
    assert not stream.between_events


def test_a_failure_ends_a_stream_once() -> None:
    stream = ChatStream()
    stream.feed(WORD)
    assert error_of(stream.fail(GatewaySilentError(3))) == "gateway_silent"
    assert stream.fail(GatewaySilentError(3)) == stream.end() == b""
