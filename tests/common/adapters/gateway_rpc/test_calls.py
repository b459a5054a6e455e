"""Calls of a gateway, and their answers."""

import asyncio
from typing import Any

import pytest

from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.errors import GatewayRpcError, GatewayUnreachableError
from common.adapters.gateway_rpc.connection import (
    deaf_server,
    opened,
    response,
)
from fakes.gateway import (
    NO_ANSWER,
    FakeGateway,
)


async def test_a_call_returns_the_payload(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"agents.list": lambda params: {"asked": params}, "health": None, "tick": 5}

    async with opened(gateway.port, device) as client:
        assert await client.call("agents.list", {"limit": 5}) == {"asked": {"limit": 5}}
        assert await client.call("agents.list") == {"asked": {}}
        assert await client.call("health") is None
        assert await client.call("tick") == 5


async def test_calls_at_once_get_each_its_own_answer(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"echo": lambda params: params["number"]}

    async with opened(gateway.port, device) as client:
        answers = await asyncio.gather(*(client.call("echo", {"number": number}) for number in range(50)))

    assert answers == list(range(50))


async def test_answers_may_come_in_another_order(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": "first"}

    async with opened(gateway.port, device) as client:
        slow = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        assert await client.call("fast") == "first"
        assert not slow.done()
        await gateway.send(response(1, payload="second"))
        assert await slow == "second"


async def test_a_large_answer_fits(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"config.schema": "x" * 3_000_000}

    async with opened(gateway.port, device) as client:
        assert len(await client.call("config.schema")) == 3_000_000


async def test_an_unknown_method_is_told_in_the_gateways_words(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayRpcError) as failure:
            await client.call("no.such")

    assert (failure.value.code, failure.value.reason) == ("INVALID_REQUEST", "unknown method: no.such")
    assert failure.value.detail == {"method": "no.such", "code": "INVALID_REQUEST"}


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ({"code": "FORBIDDEN", "message": "missing scope"}, "FORBIDDEN", "missing scope"),
        ({"code": "UNAVAILABLE", "message": "later", "retryable": True}, "UNAVAILABLE", "later"),
        ({}, "UNKNOWN", "no reason given"),
        ("text", "UNKNOWN", "no reason given"),
        (None, "UNKNOWN", "no reason given"),
    ],
)
async def test_an_error_of_any_shape_is_an_rpc_error(
    gateway: FakeGateway, device: GatewayDevice, error: Any, code: str, reason: str
) -> None:
    gateway.methods = {"health": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("health"))
        await gateway.calls.get()
        await gateway.send(response(1, ok=False, error=error))
        with pytest.raises(GatewayRpcError) as failure:
            await call

    assert (failure.value.code, failure.value.reason) == (code, reason)
    assert "`health`" in failure.value.message


async def test_an_answer_that_does_not_say_ok_is_an_error(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"health": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("health"))
        await gateway.calls.get()
        await gateway.send('{"type": "res", "id": "1", "payload": 5}')
        with pytest.raises(GatewayRpcError):
            await call


async def test_a_call_that_is_not_answered_ends_at_its_deadline(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": 1}

    async with opened(gateway.port, device) as client:
        with pytest.raises(GatewayUnreachableError, match="did not answer `slow`"):
            await client.call("slow", seconds=0.05)
        await gateway.send(response(1, payload="too late"))
        assert await client.call("fast") == 1


async def test_a_call_that_cannot_even_be_sent_ends_at_its_deadline(device: GatewayDevice) -> None:
    """The gateway reads no more, so that the buffers between it and us are full."""
    async with deaf_server() as (port, sockets), opened(port, device) as client:
        with pytest.raises(GatewayUnreachableError, match="did not answer `big`"):
            await client.call("big", {"text": "x" * 20_000_000}, seconds=0.2)
        (await sockets.get()).transport.abort()


async def test_a_call_whose_caller_leaves_is_forgotten(gateway: FakeGateway, device: GatewayDevice) -> None:
    gateway.methods = {"slow": NO_ANSWER, "fast": 1}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow"))
        await gateway.calls.get()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gateway.send(response(1, payload="too late"))
        assert await client.call("fast") == 1
        assert client.connection._waiting == {}


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_a_call_that_waits_learns_of_the_end_at_once(
    gateway: FakeGateway, device: GatewayDevice, end: str
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        calls = [asyncio.create_task(client.call("slow", seconds=60)) for _ in range(3)]
        for _ in calls:
            await gateway.calls.get()
        await (gateway.stop() if end == "stop" else gateway.crash())
        failures = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(failure, GatewayUnreachableError) for failure in failures)
    assert {str(failure) for failure in failures} == {"The gateway closed the connection."}


async def test_a_call_that_waits_learns_that_nobody_listens_any_more(
    gateway: FakeGateway, device: GatewayDevice
) -> None:
    gateway.methods = {"slow": NO_ANSWER}

    async with opened(gateway.port, device) as client:
        call = asyncio.create_task(client.call("slow", seconds=60))
        await gateway.calls.get()
        client.listening.cancel()
        with pytest.raises(GatewayUnreachableError):
            await call


async def test_a_call_after_the_end_is_unreachable(gateway: FakeGateway, device: GatewayDevice) -> None:
    async with opened(gateway.port, device) as client:
        await gateway.stop()
        await client.ended()
        with pytest.raises(GatewayUnreachableError, match="closed the connection during `health`"):
            await client.call("health")


async def test_a_call_that_is_being_sent_when_the_connection_ends_leaves_no_noise(
    device: GatewayDevice,
) -> None:
    loop, noise = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _loop, context: noise.append(context["message"]))

    async with deaf_server() as (port, sockets), opened(port, device) as client:
        call = asyncio.create_task(client.call("big", {"text": "x" * 20_000_000}, seconds=60))
        (await sockets.get()).transport.abort()
        with pytest.raises(GatewayUnreachableError):
            await call
        await client.ended()

    del call
    assert noise == []
