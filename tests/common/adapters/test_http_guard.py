import asyncio
from typing import Any

import pytest

from buddy_common.adapters.http_guard import JOINED_BYTES, OneWrite

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and when it is closed."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self._is_closing = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # nobody writes anything else
        self.written.append(data)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self.written.append(b"closed")
        self._is_closing = True


@pytest.fixture
def wire() -> Wire:
    return Wire()


class Answer:
    """The part of uvicorn's cycle that is looked at; it writes to whatever its transport is."""

    def __init__(self, wire: Wire) -> None:
        self.transport: Any = wire
        self.transport = OneWrite(self, asyncio.get_running_loop())  # type: ignore[arg-type]  # a part of it

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.close()


@pytest.fixture
async def answer(wire: Wire) -> Answer:
    return Answer(wire)


async def test_a_head_and_the_body_that_is_there_go_out_in_one_write(wire: Wire, answer: Answer) -> None:
    answer.write(HEAD)
    answer.write(b"body")
    answer.write(b"more")
    await asyncio.sleep(0)

    assert wire.written == [HEAD + b"body", b"more"]
    assert answer.transport is wire


async def test_a_head_without_a_body_goes_out_before_anything_is_waited_for(
    wire: Wire, answer: Answer
) -> None:
    answer.write(HEAD)
    await asyncio.sleep(0)
    assert wire.written == [HEAD]

    answer.write(b"body")
    assert wire.written == [HEAD, b"body"]


async def test_a_long_piece_is_not_copied(wire: Wire, answer: Answer) -> None:
    piece = b"x" * (JOINED_BYTES + 1)

    answer.write(HEAD)
    answer.write(piece)

    assert wire.written == [HEAD, piece]


async def test_a_head_is_out_before_its_connection_closes(wire: Wire, answer: Answer) -> None:
    answer.write(HEAD)
    answer.close()
    await asyncio.sleep(0)

    assert wire.written == [HEAD, b"closed"]


async def test_nothing_is_written_to_who_has_left(wire: Wire, answer: Answer) -> None:
    answer.write(HEAD)
    wire.close()
    await asyncio.sleep(0)

    assert wire.written == [b"closed"]
