"""Api and proxy as they stand before strangers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_common.db import grants, nodes
from buddy_common.db.engine import Database
from buddy_common.db.grants import GrantKind
from buddy_common.schemas.job import Lane
from buddy_proxy.app import ProxyApp
from buddy_proxy.app import create_app as create_proxy
from buddy_proxy.config import ProxyConfig
from security.surface import Door, doors_of

TOKEN = "a-token-for-the-security-tests-0123456789"


@dataclass(frozen=True)
class House:
    """Both services before one database and one broker, with all their doors."""

    api: FastAPI
    proxy: ProxyApp
    doors: list[Door]

    @property
    def database(self) -> Database:
        return wiring_of(self.api).database

    async def grant(self, kind: GrantKind, *, seconds: float = 60) -> str:
        """Issue a session or a ticket; one of less than 0 s has expired."""
        return await self.database.run(
            lambda session: grants.issue(
                session, kind, key=TOKEN.encode(), lifetime=timedelta(seconds=seconds), address=None
            )
        )


@pytest.fixture
def services(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, database_url: str, tmp_path: Path
) -> tuple[FastAPI, ProxyApp]:
    """The apps, built before there is a loop, as `main` does."""
    monkeypatch.setenv("BUDDY_TOKEN", TOKEN)
    monkeypatch.setenv("BUDDY_REDIS_URL", redis_url)
    monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
    monkeypatch.setenv("BUDDY_OPENCLAW_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("BUDDY_WAIT_SECONDS", "0.01")
    monkeypatch.setenv("BUDDY_LOGIN_ATTEMPTS_PER_MINUTE", "1000000")  # it knocks on every door within one
    return create_app(ApiConfig.from_environment()), create_proxy(ProxyConfig.from_environment())


@pytest.fixture
async def house(services: tuple[FastAPI, ProxyApp]) -> AsyncIterator[House]:
    """A house that knows one node, `local`, with both lanes alive."""
    api, proxy = services
    w = wiring_of(api)
    await w.database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    for lane in Lane:
        await w.presence.beat("local", lane, "here:1")
    yield House(api, proxy, doors_of(api, proxy))
    await w.close()
    await proxy.wiring.close()
