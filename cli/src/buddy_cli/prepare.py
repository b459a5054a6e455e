"""What `buddy up` checks and sets up before it starts its children."""

from buddy_cli import children
from buddy_cli.broker import EmbeddedBroker
from buddy_cli.failures import PlaneError, PortInUseError
from buddy_cli.openclaw_setup import ensure_config, ensure_openclaw
from buddy_cli.planes import Plane
from buddy_cli.preflight import (
    database_address,
    redis_address,
    require_database,
    require_port,
    require_redis,
    require_token,
)
from buddy_cli.screen import Screen
from buddy_cli.up_config import UpConfig, UpOptions
from buddy_common.schemas.job import Lane


def require_roads(config: UpConfig, plane: Plane) -> None:
    """Make sure that a host plane knows the two roads to its control plane.

    Raises:
        PlaneError: it would start a broker or a database that no api ever reads.
    """
    roads = {"--redis-url": config.broker.url, "--database-url": config.database.url}
    missing = [option for option, url in roads.items() if url is None]
    if plane is Plane.HOST and missing:
        raise PlaneError(
            "A host plane works with the Redis and the database of its control plane:"
            f" pass {' and '.join(missing)}."
        )


def prepare(config: UpConfig, options: UpOptions, screen: Screen) -> list[children.Child]:
    """Check and set up all that the children need; return them, none started.

    Raises:
        SetupError: something must be changed first.
    """
    _require_ports(config, options)
    token = require_token(config.auth, config.home) if options.plane.has_control else ""
    family, redis_url = _broker(config, options.plane, screen)
    database_url = config.database.resolve(config.home.home)
    require_database(database_url)
    screen.step("database", database_address(database_url))
    if options.plane.has_host:
        _prepare_openclaw(config, options, screen)
    environment = children.service_environment(
        config.gateway, BUDDY_REDIS_URL=redis_url, BUDDY_DATABASE_URL=database_url
    )
    if options.plane.has_control:
        family.append(children.web_child(environment, config.web, with_proxy=options.plane.has_host))
    if options.plane.has_host:
        family += [
            *(children.worker_child(lane, environment) for lane in Lane),
            children.watchdog_child(environment, config.watchdog),
        ]
    if options.plane is Plane.HOST:
        family.append(children.proxy_child(environment, config.proxy))
    if options.has_flower:
        family.append(children.flower_child(redis_url, config.flower, token=token))
    return family


def _require_ports(config: UpConfig, options: UpOptions) -> None:
    """Make sure that each server of this plane has a port of its own, and that it is free."""
    web, watchdog, flower, proxy = config.web, config.watchdog, config.flower, config.proxy
    wanted: list[tuple[str, int, str, str]] = []
    if options.plane.has_control:
        wanted.append((web.host, web.port, "the API", "Stop it, or pass --port."))
    if options.plane.has_host:
        wanted.append((watchdog.host, watchdog.port, "the watchdog", "Set BUDDY_WATCHDOG_PORT."))
    if options.plane is Plane.HOST:
        wanted.append((proxy.host, proxy.port, "the proxy", "Set BUDDY_PROXY_PORT."))
    if options.has_flower:
        remedy = "Set BUDDY_FLOWER_PORT, or pass --no-flower."
        wanted.append((flower.host, flower.port, "Flower", remedy))
    ports = [port for _, port, _, _ in wanted]
    if len(set(ports)) < len(ports):
        uses = ", ".join(f"{use} {port}" for _, port, use, _ in wanted)
        raise PortInUseError(f"Each service needs a port of its own, but they have: {uses}.")
    for host, port, use, remedy in wanted:
        require_port(host, port, use=use, remedy=remedy)


def _broker(config: UpConfig, plane: Plane, screen: Screen) -> tuple[list[children.Child], str]:
    """Return the child that is the broker, if it is ours, and its URL."""
    if config.broker.url is not None:
        redis_url = config.broker.require()
        require_redis(redis_url)
        screen.step("broker", redis_address(redis_url))
        return [], redis_url
    embedded = EmbeddedBroker(config.home)
    screen.step("broker", f"embedded, {redis_address(embedded.url)}")
    if plane is Plane.CONTROL:
        screen.warn("broker", "no other machine reaches the embedded one; --redis-url names one for all")
    return [children.broker_child(embedded.arguments, embedded.url)], embedded.url


def _prepare_openclaw(config: UpConfig, options: UpOptions, screen: Screen) -> None:
    program = ensure_openclaw(
        screen, config.openclaw, config.home.runtime, may_install=options.install_openclaw
    )
    if program is None:
        screen.warn("openclaw", "not found; `buddy openclaw install` installs it")
        return
    screen.step("openclaw", f"{program.version}, {program.path}")
    ensure_config(screen, config.gateway)
