"""Plugins are loaded anew by the gateway itself, or by a restart of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from buddy_common.errors import GatewayRpcError, GatewayUnreachableError
from buddy_worker.usecases import reload_plugins
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, pid_of_gateway, reload, start, there

pytestmark = pytest.mark.timeout(40)  # it starts a gateway


@dataclass
class FakeCall:
    """A connection to a gateway that remembers what it was asked."""

    methods: set[str] = field(default_factory=lambda: {"plugins.reload", "plugins.refresh"})
    problem: Exception | None = None
    does: Callable[[], object] | None = None
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def has(self, method: str) -> bool:
        return method in self.methods

    async def call(self, method: str, params: Any = None, *, seconds: float) -> Any:
        assert seconds > 60
        self.asked.append((method, params))
        if self.does is not None:
            await asyncio.to_thread(self.does)
        if self.problem is not None:
            raise self.problem
        return {"ok": True}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> FakeCall:
    call = FakeCall()

    @asynccontextmanager
    async def connect(*_: object) -> AsyncIterator[FakeCall]:
        yield call

    monkeypatch.setattr(reload_plugins, "call_gateway", connect)
    return call


async def test_one_plugin_is_loaded_anew(w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall) -> None:
    there(fake_openclaw, "a", "b")
    pid = await start(w)

    assert done(await reload(w, "a")) == {"how": "reload", "plugins": ["a"]}

    assert call.asked == [("plugins.reload", {"plugins": [{"pluginId": "a"}]})]
    assert await pid_of_gateway(w) == pid


async def test_all_that_are_installed_are_loaded_anew(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, *(f"p{number}" for number in range(65)))
    await start(w)

    assert len(done(await reload(w))["plugins"]) == 65
    assert [len(params["plugins"]) for _, params in call.asked] == [64, 1]


async def test_without_any_installed_the_gateway_looks_for_plugins_anew(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, "telegram", bundled=True)
    await start(w)

    assert done(await reload(w)) == {"how": "reload", "plugins": []}
    assert call.asked == [("plugins.refresh", {})]


async def test_a_gateway_that_cannot_is_restarted(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, "a")
    call.methods.clear()
    pid = await start(w)

    assert done(await reload(w, "a")) == {"how": "restart", "plugins": ["a"]}
    assert await pid_of_gateway(w) not in {None, pid}


async def test_without_a_gateway_the_client_is_told_what_to_do(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a")
    assert "/v1/gateway/start" in failed(await reload(w, "a"), "gateway_not_running")


async def test_an_unknown_plugin_is_not_loaded(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, "a")
    await start(w)

    failed(await reload(w, "b"), "unknown_plugin")
    assert call.asked == []


async def test_the_gateways_own_reason_is_told(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, "a")
    call.problem = GatewayRpcError("plugins.reload", code="UNAVAILABLE", reason="it is busy")
    await start(w)

    assert "it is busy" in failed(await reload(w, "a"), "gateway_rpc_failed")


async def test_a_gateway_that_ends_of_it_is_told_with_its_last_words(
    w: Wiring, fake_openclaw: FakeOpenClaw, call: FakeCall
) -> None:
    there(fake_openclaw, "a")
    fake_openclaw.configure(deadly=["6.6"])
    await start(w)
    call.problem = GatewayUnreachableError("The connection is gone.")
    call.does = lambda: there(fake_openclaw, "a", version="6.6")

    assert "a 6.6 is broken" in failed(await reload(w, "a"), "gateway_start_failed")
