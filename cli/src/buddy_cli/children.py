"""The child processes of `buddy up`: what each runs, sees and needs to be ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from buddy_common.adapters.processes import child_environment
from buddy_common.adapters.redis_client import broker_errors, open_redis
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.job import Lane
from buddy_common.settings import (
    ALL_SETTINGS,
    FlowerSettings,
    GatewaySettings,
    ProxySettings,
    WatchdogSettings,
    WebSettings,
)

BROKER = "broker"
ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Child:
    """A process to keep alive."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(repr=False)
    ready: Callable[[], Awaitable[bool]]


def service_environment(gateway: GatewaySettings, **overrides: str) -> dict[str, str]:
    """Return what our own services see: the allowed variables, all settings, and `overrides`."""
    also = frozenset(
        name
        for settings in ALL_SETTINGS
        for info in settings.model_fields.values()
        for name in _names(info.validation_alias)
    )
    return child_environment(also=also | _passed_on(gateway), PYTHONUNBUFFERED="1", **overrides)


def broker_child(arguments: list[str], url: str) -> Child:
    """Return the embedded broker."""
    return Child(BROKER, arguments, child_environment(), ready=lambda: redis_answers(url))


def web_child(environment: dict[str, str], web: WebSettings, *, with_proxy: bool) -> Child:
    """Return the api, with the proxy on the same port where the gateway is on the same machine."""
    module = "buddy_cli.edge" if with_proxy else "buddy_api"
    return _python_child("web", [module], environment, f"http://{reachable(web.host)}:{web.port}/health")


def proxy_child(environment: dict[str, str], proxy: ProxySettings) -> Child:
    """Return the proxy of a gateway whose api is elsewhere."""
    url = f"http://{reachable(proxy.host)}:{proxy.port}/health"
    return _python_child("proxy", ["buddy_proxy"], environment, url)


def worker_child(lane: Lane, environment: dict[str, str]) -> Child:
    """Return the consumer of one lane; whether it consumes shows in `/ready`."""
    return _python_child(f"worker-{lane}", ["buddy_worker", "--lane", lane], environment, None)


def watchdog_child(environment: dict[str, str], watchdog: WatchdogSettings) -> Child:
    """Return the watchdog."""
    return _python_child(
        "watchdog",
        ["buddy_watchdog"],
        environment,
        f"http://{watchdog.host}:{watchdog.port}/health",
    )


def flower_child(redis_url: str, flower: FlowerSettings, *, token: str) -> Child:
    """Return Flower; broker URL and password go by environment, where `ps` does not show them."""
    environment = child_environment(
        CELERY_BROKER_URL=redis_url,
        FLOWER_BASIC_AUTH=f"buddy:{token}",
        FLOWER_ADDRESS=flower.host,
        FLOWER_PORT=str(flower.port),
        PYTHONUNBUFFERED="1",
    )
    return _python_child(
        "flower",
        ["celery", "flower"],
        environment,
        f"http://{flower.host}:{flower.port}/healthcheck",
    )


def reachable(host: str) -> str:
    """Return the address under which a server bound to `host` answers on this machine."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{address}]" if ":" in address else address


async def redis_answers(url: str) -> bool:
    """Whether a Redis answers at `url` with this password."""
    client = open_redis(url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS), broker_errors():
            await client.ping()
    except (BrokerUnavailableError, TimeoutError):
        return False
    finally:
        await client.aclose()
    return True


def _python_child(name: str, module: list[str], environment: dict[str, str], url: str | None) -> Child:
    async def answers() -> bool:
        if url is None:
            return True
        try:
            async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
                return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return Child(name, [sys.executable, "-m", *module], environment, ready=answers)


def _names(alias: object) -> list[str]:
    choices = getattr(alias, "choices", [])
    return [choice for choice in choices if isinstance(choice, str)]


def _passed_on(gateway: GatewaySettings) -> frozenset[str]:
    """Variables that the gateway is to see must pass through us; coverage measures our children."""
    return gateway.passed_on | {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
