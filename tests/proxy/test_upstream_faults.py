"""A gateway that takes no body, or sends no end: nobody waits for ever, no connection is kept wrongly."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from buddy_common.errors import GatewaySilentError, GatewayUnreachableError, StreamBrokenError
from buddy_proxy.gateway_connection import MAX_HEAD_BYTES
from buddy_proxy.upstream import Body, Upstream
from proxy.raw_server import CHUNKED, OK, Raw, ask

MORE_THAN_THE_KERNEL_HOLDS = b"x" * (32 * 1024 * 1024)
REFUSED = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"


class Deaf:
    """Takes a head, answers, and reads no more; it sees its client go by what it cannot send any more."""

    def __init__(self, raw: Raw, answer: bytes) -> None:
        self._answer = answer
        self.asked, self.may_look, self.cut = asyncio.Event(), asyncio.Event(), asyncio.Event()
        raw.serve = self._serve

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        self.asked.set()
        await self.may_look.wait()
        try:
            while True:
                await asyncio.sleep(0.02)
                writer.write(b"\r\n")
                await writer.drain()
        except ConnectionError:
            self.cut.set()

    async def is_cut(self) -> None:
        """Return once a connection is."""
        self.may_look.set()
        async with asyncio.timeout(5):
            await self.cut.wait()


async def pieces() -> AsyncGenerator[bytes, None]:
    yield MORE_THAN_THE_KERNEL_HOLDS
    await asyncio.Event().wait()


@pytest.mark.parametrize("body_of", [lambda: MORE_THAN_THE_KERNEL_HOLDS, pieces], ids=["whole", "in pieces"])
async def test_a_connection_whose_request_is_not_out_is_cut_and_not_used_again(
    upstream: Upstream, raw: Raw, body_of: Callable[[], Body]
) -> None:
    deaf = Deaf(raw, REFUSED)
    for _ in range(2):
        assert await ask(upstream, raw, "POST", body=body_of()) == (413, b"no")
    assert raw.connections == 2
    await deaf.is_cut()


async def test_closing_cuts_what_does_not_get_out(upstream: Upstream, raw: Raw) -> None:
    deaf = Deaf(raw, b"")
    asking = asyncio.create_task(ask(upstream, raw, "POST", body=MORE_THAN_THE_KERNEL_HOLDS))
    await deaf.asked.wait()
    await upstream.close()
    await deaf.is_cut()
    with pytest.raises(GatewayUnreachableError):
        await asking


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (CHUNKED + b"1;", b"a"),
    ],
)
async def test_what_trickles_and_says_nothing_is_silence(
    upstream: Upstream, raw: Raw, begin: bytes, again: bytes
) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0.02)

    raw.serve = trickle
    with pytest.raises(GatewaySilentError):
        await ask(upstream, raw, silence_seconds=0.3)


async def test_a_gateway_that_takes_a_long_body_is_not_silent(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [OK]

    async def slowly() -> AsyncGenerator[bytes, None]:
        for _ in range(20):
            yield b"x"
            await asyncio.sleep(0.05)

    assert await ask(upstream, raw, "POST", body=slowly(), silence_seconds=0.5) == (200, b"ok")


async def test_trailers_without_an_end_are_cut(upstream: Upstream, raw: Raw) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b"2\r\nok\r\n0\r\nX: ")
        for _ in range(64):
            writer.write(b"a" * MAX_HEAD_BYTES)
            await writer.drain()
        await reader.read()

    raw.serve = serve
    with pytest.raises(StreamBrokenError):
        await ask(upstream, raw)


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked, chunked", "x", "identity"])
async def test_an_answer_in_a_coding_that_nobody_asked_for_is_none(
    upstream: Upstream, raw: Raw, coding: str
) -> None:
    raw.answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n2\r\nok\r\n0\r\n\r\n" % coding.encode()]
    raw.hang_up = True
    with pytest.raises(GatewayUnreachableError):
        await ask(upstream, raw)
