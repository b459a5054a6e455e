"""What the health routes of both generations say, in one form."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from buddy_common.adapters.gateway_probe import GatewayProbe
from buddy_common.schemas.gateway import Probe
from fakes.ports import free_port
from fakes.tls import self_signed

Ask = Callable[[str | bytes, str | bytes], Awaitable[Probe]]
PAGE = "<!doctype html><title>OpenClaw</title>"
STARTED, STARTING = json.dumps({"status": "started"}), json.dumps({"status": "starting"})


@pytest.fixture
async def probe() -> AsyncIterator[GatewayProbe]:
    probe = GatewayProbe()
    yield probe
    await probe.close()


@pytest.fixture
def ask(probe: GatewayProbe) -> Ask:
    """Ask a server that answers with these bodies."""

    async def ask(readyz: str | bytes, startupz: str | bytes) -> Probe:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            body = startupz if b"/startupz" in request else readyz
            content = body.encode() if isinstance(body, str) else body
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(content)
            writer.write(head + content)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            found = await probe.ask(server.sockets[0].getsockname()[1])
        assert found.healthz == 200
        return found.model_copy(update={"latency_ms": None, "healthz": None})

    return ask


async def test_ready_gateway_is_started_whatever_else_it_says(ask: Ask) -> None:
    found = await ask('{"ready": true, "eventLoop": {"delayP99Ms": 21.5}}', b"")

    assert found == Probe(live=True, started=True, ready=True, event_loop_delay_p99_ms=21.5)


async def test_gateway_that_only_a_channel_keeps_from_being_ready_is_started(ask: Ask) -> None:
    found = await ask('{"ready": false, "failing": ["telegram"]}', STARTED)

    assert found == Probe(live=True, started=True, ready=False, failing=["telegram"], phase="started")


async def test_gateway_that_says_it_starts_is_not_started(ask: Ask) -> None:
    found = await ask('{"ready": false, "failing": ["startup-sidecars"]}', STARTING)

    assert (found.live, found.started, found.ready, found.phase) == (True, False, False, "starting")


async def test_what_a_start_waits_for_is_told(ask: Ask) -> None:
    waits = json.dumps({"status": "starting", "pendingReason": "startup-sidecars"})

    assert (await ask('{"ready": false}', waits)).phase == "starting: startup-sidecars"


async def test_old_generation_that_answers_at_all_is_started(ask: Ask) -> None:
    found = await ask('{"ready": false, "failing": ["telegram"]}', PAGE)

    assert found == Probe(live=True, started=True, ready=False, failing=["telegram"])


async def test_draining_is_told(ask: Ask) -> None:
    found = await ask('{"ready": false, "failing": ["gateway-draining"]}', '{"status": "draining"}')

    assert (found.draining, found.started) == (True, False)


@pytest.mark.parametrize(
    "readyz", ['{"ready": "yes", "failing": null, "eventLoop": null}', '{"ready": false, "failing": 3}']
)
async def test_nonsense_is_not_ready(ask: Ask, readyz: str) -> None:
    assert await ask(readyz, STARTING) == Probe(live=True, ready=False, phase="starting")


@pytest.mark.parametrize("readyz", [PAGE, "[]", b"\xff\xfe"])
async def test_another_program_is_not_live(ask: Ask, readyz: str | bytes) -> None:
    assert await ask(readyz, STARTED) == Probe(live=False, ready=False)


async def test_gateway_that_does_not_answer_is_not_live(probe: GatewayProbe) -> None:
    assert await probe.ask(free_port()) == Probe(live=False, ready=False)


async def test_a_gateway_that_speaks_tls_only_is_asked_so(probe: GatewayProbe, tmp_path: Path) -> None:
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"ready": true}')
        await writer.drain()
        writer.close()

    tls = await asyncio.to_thread(self_signed, tmp_path)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        found = [await probe.ask(port), await probe.ask(port)]

    assert [(one.live, one.ready, one.healthz) for one in found] == [(True, True, 200)] * 2
    assert len(asked) == 4
