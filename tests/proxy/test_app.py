"""The proxy is alive, and honest about what it does not do."""

import httpx
import pytest

from buddy_proxy.app import ProxyApp, create_app
from buddy_proxy.config import ProxyConfig


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ProxyApp:
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1")  # nothing here asks it
    return create_app(ProxyConfig.from_environment())


@pytest.fixture
def proxy(app: ProxyApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://proxy")


async def test_health(proxy: httpx.AsyncClient) -> None:
    answer = await proxy.get("/health")
    assert answer.json() == {"code": 200, "message": "success", "data": {"status": "ok"}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/ws/logs", 404), ("PUT", "/health", 405)],
)
async def test_what_is_not_there_comes_in_the_envelope(
    method: str, path: str, status: int, proxy: httpx.AsyncClient
) -> None:
    answer = await proxy.request(method, path)
    assert answer.status_code == answer.json()["code"] == status
    assert answer.json()["data"]["error"]


async def test_every_answer_has_a_request_id(proxy: httpx.AsyncClient) -> None:
    given = await proxy.post("/v1/openclaw/chat/completions", headers={"X-Request-ID": "mine-1"})
    chosen = await proxy.get("/health", headers={"X-Request-ID": "two words"})
    assert given.headers["x-request-id"] == "mine-1"
    assert len(chosen.headers["x-request-id"]) == 16
