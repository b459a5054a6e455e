"""Answers byte by byte, as a gateway could send them: whole, cut off, or not meant for who asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buddy_common.errors import (
    GatewaySilentError,
    GatewayUnreachableError,
    InvalidRequestError,
    StreamBrokenError,
)
from buddy_proxy import upstream as module
from buddy_proxy.eager import begin
from buddy_proxy.gateway_connection import MAX_HEAD_BYTES
from buddy_proxy.upstream import Upstream
from fakes.tls import self_signed
from proxy.raw_server import CHUNKED, OK, Raw, ask


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (OK, b"ok"),
        (CHUNKED + b"2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", b"ok!"),
        (CHUNKED + b"2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n", b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_an_answer_comes_whole_and_its_connection_serves_the_next(
    upstream: Upstream, raw: Raw, sent: bytes, body: bytes
) -> None:
    raw.answers = [sent]
    assert [await ask(upstream, raw) for _ in range(3)] == [(200, body)] * 3
    assert raw.connections == 1


async def test_a_gateway_with_tls_is_asked_so(upstream: Upstream, tmp_path: Path) -> None:
    secure = Raw()
    secure.answers = [CHUNKED + b"2\r\nok\r\n0\r\n\r\n"]
    tls = await asyncio.to_thread(self_signed, tmp_path)
    async with await asyncio.start_server(secure.accept, "127.0.0.1", 0, ssl=tls) as server:
        secure.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        assert [await ask(upstream, secure) for _ in range(3)] == [(200, b"ok")] * 3

    assert secure.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection(upstream: Upstream, raw: Raw) -> None:
    raw.answers, raw.hang_up = [b"HTTP/1.1 200 OK\r\n\r\nall of it"], True
    assert await ask(upstream, raw) == (200, b"all of it")
    assert await ask(upstream, raw) == (200, b"all of it")
    assert raw.connections == 2


async def test_a_head_has_a_length_and_no_body(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"]
    assert await ask(upstream, raw, "HEAD") == (200, b"")
    assert await ask(upstream, raw, "HEAD") == (200, b"")


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", CHUNKED + b"9\r\nok", CHUNKED + b"zz\r\nok"]
)
async def test_an_answer_that_is_cut_off_is_never_taken_for_whole(
    upstream: Upstream, raw: Raw, sent: bytes
) -> None:
    raw.answers, raw.hang_up = [sent], True
    with pytest.raises(StreamBrokenError):
        await ask(upstream, raw)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    ],
)
async def test_what_is_no_answer_is_told_and_closes_the_connection(
    upstream: Upstream, raw: Raw, sent: bytes
) -> None:
    raw.answers, raw.hang_up = [sent], True
    with pytest.raises(GatewayUnreachableError):
        await ask(upstream, raw)
    raw.answers = [OK]
    assert await ask(upstream, raw) == (200, b"ok")


async def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next(upstream: Upstream, raw: Raw) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    raw.answers = [OK + evil, OK]
    assert [await ask(upstream, raw) for _ in range(2)] == [(200, b"ok")] * 2
    assert raw.connections == 2


async def test_a_kept_connection_that_has_just_closed_costs_a_read_nothing(
    upstream: Upstream, raw: Raw
) -> None:
    raw.answers = [OK]

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # and closes at the next one

    raw.serve = once
    assert [await ask(upstream, raw) for _ in range(2)] == [(200, b"ok")] * 2
    with pytest.raises(GatewayUnreachableError):  # which may have been done already
        await ask(upstream, raw, "POST")


async def test_connections_are_not_kept_longer_than_the_gateway_keeps_them(
    upstream: Upstream, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0.0)
    raw.answers = [OK]
    for _ in range(2):
        await ask(upstream, raw)
        await asyncio.sleep(0.01)
    assert raw.connections == 2


async def test_bodies_go_out_by_their_length_or_in_chunks(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [OK]

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"d" * 300

    length = [("Host", "x"), ("Content-Length", "303")]
    await ask(upstream, raw, "POST", body=b"whole")
    await ask(upstream, raw, "POST", body=pieces())
    await ask(upstream, raw, "POST", body=pieces(), headers=length)

    assert raw.bodies == [
        b"whole",
        b"3\r\nabc\r\n12c\r\n" + b"d" * 300 + b"\r\n0\r\n\r\n",
        b"abc" + b"d" * 300,
    ]
    assert raw.connections == 1


async def test_a_body_that_fails_on_its_way_fails_the_request(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [OK]

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        raise InvalidRequestError("The client left.")

    with pytest.raises(InvalidRequestError):
        await ask(upstream, raw, "POST", body=pieces())


async def test_an_answer_before_the_body_is_out_is_taken_and_ends_the_connection(
    upstream: Upstream, raw: Raw
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.Event().wait()

    raw.serve = refuse
    assert await ask(upstream, raw, "POST", body=endless()) == (413, b"no")
    assert await ask(upstream, raw, "POST", body=endless()) == (413, b"no")
    assert raw.connections == 2


@pytest.mark.parametrize("header", ["a\r\nX-Evil: 1", "a\nX", "a\rX", "a\0"])
async def test_no_header_brings_another(upstream: Upstream, raw: Raw, header: str) -> None:
    with pytest.raises(InvalidRequestError):
        await ask(upstream, raw, headers=[("X", header)])
    assert raw.connections == 0


async def test_silence_is_told(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [b""]
    with pytest.raises(GatewaySilentError):
        await ask(upstream, raw, silence_seconds=0.1)
    raw.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"]
    with pytest.raises(GatewaySilentError):
        await ask(upstream, raw, silence_seconds=0.1)


async def test_who_takes_slowly_holds_the_gateway_up_and_loses_nothing(upstream: Upstream, raw: Raw) -> None:
    size, piece = 32 * 1024 * 1024, b"x" * 65536
    written = 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
            written += len(piece)
        await reader.read()

    raw.serve = send
    may_go_on = asyncio.Event()
    taken = 0

    async def slowly(data: bytes) -> None:
        nonlocal taken
        await may_go_on.wait()
        taken += len(data)

    async with upstream.request(
        "GET", raw.url, headers=[("Host", "x")], body=None, silence_seconds=5
    ) as answer:
        pouring = asyncio.create_task(answer.pour(slowly))
        before = -1
        while before != written:  # until nothing moves any more
            before = written
            await asyncio.sleep(0.2)
        assert written < size / 2  # the kernel holds some megabytes
        may_go_on.set()
        async with asyncio.timeout(5):
            await pouring
    assert taken == size


async def test_a_failure_of_who_takes_reaches_who_pours(upstream: Upstream, raw: Raw) -> None:
    raw.answers = [CHUNKED + b"2\r\nok\r\n"]

    async def fail(_data: bytes) -> None:
        raise ValueError("mine")

    async with upstream.request(
        "GET", raw.url, headers=[("Host", "x")], body=None, silence_seconds=5
    ) as answer:
        with pytest.raises(ValueError, match="mine"):
            await answer.pour(fail)


async def test_a_coroutine_that_need_not_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def at_once() -> None:
        done.append(1)

    assert begin(at_once()) is None
    assert done == [1]


async def test_a_coroutine_that_waits_goes_on_where_it_is_awaited() -> None:
    event, done = asyncio.Event(), []

    async def later() -> None:
        done.append(1)
        await event.wait()
        await asyncio.sleep(0)
        done.append(2)
        raise ValueError("its own")

    rest = begin(later())
    assert rest is not None
    assert done == [1]
    event.set()
    with pytest.raises(ValueError, match="its own"):
        await rest
    assert done == [1, 2]


async def test_a_coroutine_that_waits_is_cancelled_with_who_awaits_it() -> None:
    done: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cleaned up")

    rest = begin(for_ever())
    assert rest is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await rest
    assert done == ["cleaned up"]
