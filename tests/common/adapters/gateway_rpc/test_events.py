"""What a gateway says unasked, and the end of the connection."""

import asyncio

import pytest

from buddy_common.adapters import gateway_rpc
from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.errors import GatewayUnreachableError
from common.adapters.gateway_rpc.connection import (
    deaf_server,
    opened,
    response,
)
from fakes.gateway import (
    NO_ANSWER,
    FakeGateway,
)


async def test_events_are_handed_on_in_order(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.push("tick", {"ts": 1})
        await gateway.push("health", {"ok": True})
        await gateway.push("heartbeat")
        await gateway.push("odd", ["no object"])
        heard = [await client.events.get() for _ in range(4)]

    assert heard == [("tick", {"ts": 1}), ("health", {"ok": True}), ("heartbeat", {}), ("odd", {})]


async def test_events_between_a_call_and_its_answer_are_handed_on(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        await gateway.push("tick", {"ts": 1})
        await gateway.send(response(1, payload="done"))
        assert await call == "done"
        assert client.events.get_nowait() == ("tick", {"ts": 1})


@pytest.mark.parametrize(
    "frame",
    [
        "no JSON",
        "",
        b"",
        b"\xff\xfe",
        "[1]",
        "5",
        "null",
        pytest.param("[" * 50_000, id="deep"),
        "{}",
        '{"type": "hello"}',
        '{"type": "res"}',
        '{"type": "res", "id": ["1"], "ok": true}',
        '{"type": "res", "id": "999", "ok": true, "payload": 5}',
        '{"type": "event"}',
    ],
)
async def test_frames_that_mean_nothing_do_no_harm(
    gateway: FakeGateway, device: GatewayDevice, frame: str | bytes
) -> None:
    gateway.methods = {"health": 1}

    async with opened(gateway.port, device) as client:
        await gateway.send(frame)
        assert await client.call("health") == 1
        assert not client.listening.done()


async def test_a_binary_frame_is_read_as_text_is(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.send(b'{"type": "event", "event": "tick", "payload": {"ts": 1}}')
        assert await client.events.get() == ("tick", {"ts": 1})


async def test_of_two_answers_to_one_call_the_first_counts(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"agent": NO_ANSWER, "health": 1}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("agent"))
        await gateway.calls.get()
        await gateway.send(response(1, payload="accepted"))
        await gateway.send(response(1, payload="done"))
        assert await call == "accepted"
        assert await client.call("health") == 1


async def test_a_frame_that_is_too_large_ends_the_connection(
    gateway: FakeGateway, device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_rpc, "MAX_FRAME_BYTES", 100_000)
    gateway.methods = {"big": "x" * 200_000}

    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayUnreachableError):
            await client.call("big")
        await client.ended()


async def test_the_last_words_are_kept(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        assert client.connection.shutdown is None
        await gateway.stop("gateway restarting", restartExpectedMs=1500)
        await client.ended()

        words = {"reason": "gateway restarting", "restartExpectedMs": 1500}
        assert client.connection.shutdown == words
        assert client.events.get_nowait() == ("shutdown", words)


async def test_a_gateway_that_is_killed_has_no_last_words(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.crash()
        await client.ended()

        assert client.connection.shutdown is None
        assert client.events.empty()


async def test_a_gateway_that_answers_no_ping_is_gone(
    device: GatewayDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is stopped: the connection stands, and nothing comes any more."""
    monkeypatch.setattr(gateway_rpc, "PING_SECONDS", 0.05)
    monkeypatch.setattr(gateway_rpc, "SILENCE_SECONDS", 0.1)

    async with deaf_server() as (port, _), opened(port, device) as client:
        await client.ended()
