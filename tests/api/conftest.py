"""The api over a real broker and a real database; no worker runs unless a test starts one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.sse import EventReader
from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_api.deps import Wiring
from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.db import nodes
from buddy_common.schemas.job import Lane
from eventually import eventually

TOKEN = "a-token-for-the-api-tests-0123456789"
ORIGIN = "http://buddy.test"


@dataclass
class Api:
    """A client with the token, and one without."""

    app: FastAPI
    wiring: Wiring
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient


async def login_of(api: Api, token: str = TOKEN) -> httpx.Response:
    """Sign the stranger in."""
    return await api.stranger.post("/login", json={"token": token})


@dataclass
class Served:
    """The api behind a real server, with clients of its own."""

    api: Api
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient

    @asynccontextmanager
    async def follow(
        self,
        task_id: str,
        *,
        by: httpx.AsyncClient | None = None,
        last_event_id: str | None = None,
        **query: str,
    ) -> AsyncIterator[EventReader]:
        """Open a task's stream of events; leaving the block closes it."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        client = by or self.client
        path = f"/v1/tasks/{task_id}/events"
        async with client.stream("GET", path, params=query, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            yield EventReader(response)


@pytest.fixture
def api_environment(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, database_url: str, tmp_path: Path
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BUDDY_TOKEN", TOKEN)
    monkeypatch.setenv("BUDDY_REDIS_URL", redis_url)
    monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
    return monkeypatch


@pytest.fixture
def app(api_environment: pytest.MonkeyPatch) -> FastAPI:
    """The app, built before there is a loop, as `main` does."""
    del api_environment
    return create_app(ApiConfig.from_environment())


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Api]:
    """An api that knows one node, `local`, with both lanes alive."""
    w = wiring_of(app)
    await w.database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    for lane in Lane:
        await w.presence.beat("local", lane, "here:1")
    async with client_of(app, token=TOKEN) as client, client_of(app) as stranger:
        yield Api(app, w, client, stranger)
    await w.close()


def client_of(app: FastAPI, *, token: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.7", 4711))
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)


@asynccontextmanager
async def serve(api: Api) -> AsyncIterator[Served]:
    """Put a real server on a free port before the api: answers arrive as they are written."""
    settings = uvicorn.Config(
        api.app, port=0, http=GuardedHttp, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(settings)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: asyncio.sleep(0, server.started), bool)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with (
        httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as client,
        httpx.AsyncClient(base_url=url) as stranger,
    ):
        yield Served(api, client, stranger)
    server.should_exit = True
    async with asyncio.timeout(5):
        await running


@pytest.fixture
async def served(api: Api) -> AsyncIterator[Served]:
    """The same api behind a real server."""
    async with serve(api) as server:
        yield server
