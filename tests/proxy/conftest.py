"""The proxy behind a real server, in front of a gateway that the test plays."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import uvloop

from buddy_common.adapters.gateway_device import load_device
from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.gateway_place import GatewayPlace
from buddy_proxy.app import ProxyApp
from buddy_proxy.config import ProxyConfig
from buddy_proxy.target import Found, Target
from buddy_proxy.upstream import Upstream
from buddy_proxy.wiring import Wiring, build_wiring
from eventually import eventually
from fakes.http_gateway import TOKEN as GATEWAY_TOKEN
from fakes.http_gateway import HttpGateway
from proxy.raw_server import Raw


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is about transports on uvloop too, for that is what production has."""
    if item.path.name.startswith("test_upstream"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


async def comes_true(look: Callable[[], bool]) -> None:
    """Wait for what happens in this process."""

    async def now() -> bool:
        return look()

    await eventually(now, bool)


TOKEN = "a-token-for-the-proxy-tests-0123456789"


class NearTarget(Target):
    """Finds the gateway of the test, which is no process of its own."""

    port = 0
    device_file = Path()
    token: str | None = GATEWAY_TOKEN
    panel = ""

    async def _look(self) -> Found:
        device = await asyncio.to_thread(load_device, self.device_file)
        process = ProcessIdentity(1, 0.0, "openclaw-gateway", is_gateway=True)
        place = GatewayPlace(process, self.port, self.token, device)
        return Found(place, default_bot="main", bots=frozenset({"main", "helper"}), panel=self.panel)


@dataclass
class Served:
    """A running proxy, and clients with and without the token."""

    app: ProxyApp
    wiring: Wiring
    server: uvicorn.Server
    port: int
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient

    def aim(self, port: int, token: str) -> None:
        """Point it at another gateway."""
        target: Any = self.wiring.target
        target.port, target.token = port, token
        target.forget()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def near(w: Wiring, port: int, folder: Path) -> Wiring:
    """Point the proxy at the test's gateway."""
    target = NearTarget(w.gateway, None, config_file=folder / "none", device_file=folder / "none")  # type: ignore[arg-type]  # never asked
    target.port, target.device_file = port, folder / "device.key"
    return replace(w, target=target)


@asynccontextmanager
async def serving(app: ProxyApp) -> AsyncIterator[Served]:
    """Run the app on a real server until the block ends."""
    config = uvicorn.Config(
        app,
        http=GuardedHttp,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=app.wiring.config.proxy.max_frame_bytes,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    server.capture_signals = no_signals  # type: ignore[method-assign, assignment]  # the test's own are left alone
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    running = asyncio.create_task(server.serve(sockets=[listening]))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{port}"
    try:
        async with (
            httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=5) as client,
            httpx.AsyncClient(base_url=base, trust_env=False, timeout=5) as stranger,
        ):
            yield Served(app, app.wiring, server, port, client, stranger)
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await running
        listening.close()


class no_signals:  # noqa: N801 - it stands in for a method
    """Leave the signals of the test process alone."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
async def gateway() -> AsyncIterator[HttpGateway]:
    server = HttpGateway()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    found = Raw()
    server = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    yield found
    server.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    found = Upstream(max_frame_bytes=1000)
    yield found
    await found.close()


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(
    monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str, gateway: HttpGateway, tmp_path: Path
) -> Serve:
    """Return what starts a proxy with these settings, `BUDDY_PROXY_…` without the prefix."""

    @asynccontextmanager
    async def start(**settings: object) -> AsyncIterator[Served]:
        monkeypatch.setenv("BUDDY_TOKEN", TOKEN)
        monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
        monkeypatch.setenv("BUDDY_REDIS_URL", redis_url)
        for name, value in settings.items():
            monkeypatch.setenv(f"BUDDY_PROXY_{name.upper()}", str(value))
        config = await asyncio.to_thread(ProxyConfig.from_environment)
        wiring = await asyncio.to_thread(build_wiring, config)
        async with serving(ProxyApp(near(wiring, gateway.port, tmp_path))) as served:
            yield served

    return start


@pytest.fixture
async def proxy(serve: Serve) -> AsyncIterator[Served]:
    async with serve() as served:
        yield served
