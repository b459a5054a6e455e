"""The api over a real broker and a real database; no worker runs unless a test starts one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_api.deps import Wiring
from buddy_common.db import nodes
from buddy_common.schemas.jobs import Lane

TOKEN = "a-token-for-the-api-tests-0123456789"
ORIGIN = "http://buddy.test"


@dataclass
class Api:
    """A client with the token, and one without."""

    app: FastAPI
    wiring: Wiring
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient


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
