"""`buddy up`: prepare, start everything, stay until told to stop. The gateway outlives it."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from buddy_cli import children
from buddy_cli.api_client import ApiClient
from buddy_cli.broker import EmbeddedBroker
from buddy_cli.failures import AlreadyRunningError, PortInUseError, StartError
from buddy_cli.openclaw_setup import ensure_config, ensure_openclaw
from buddy_cli.preflight import (
    database_address,
    redis_address,
    require_database,
    require_folder,
    require_port,
    require_redis,
    require_token,
)
from buddy_cli.screen import Screen
from buddy_cli.state import ProcessRecord, UpState, end_processes
from buddy_cli.supervisor import Supervisor
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.job import Lane
from buddy_common.settings import (
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    FlowerSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    WatchdogSettings,
    WebSettings,
)

START_SECONDS = 120.0  # five Python processes took 4 s idle; this is for a machine under load


@dataclass(frozen=True)
class UpOptions:
    """What the command line decides."""

    install_openclaw: bool = True
    flower: bool = True
    start_gateway: bool = True


@dataclass(frozen=True)
class UpConfig:
    """All settings that `up` reads, after the command line has had its say."""

    home: HomeSettings
    auth: AuthSettings
    web: WebSettings
    broker: BrokerSettings
    database: DatabaseSettings
    watchdog: WatchdogSettings
    flower: FlowerSettings
    openclaw: OpenClawSettings
    gateway: GatewaySettings

    @classmethod
    def from_environment(cls) -> "UpConfig":
        """Read all settings from the environment."""
        return cls(
            home=HomeSettings(),
            auth=AuthSettings(),
            web=WebSettings(),
            broker=BrokerSettings(),
            database=DatabaseSettings(),
            watchdog=WatchdogSettings(),
            flower=FlowerSettings(),
            openclaw=OpenClawSettings(),
            gateway=GatewaySettings(),
        )

    @property
    def state_file(self) -> Path:
        """Where `down` and `status` find a running `up`."""
        return self.home.run / "up.json"

    @property
    def lock_file(self) -> Path:
        """Held as long as `up` runs; the system frees it however the process ends."""
        return self.home.run / "up.lock"


def run_up(config: UpConfig, options: UpOptions, screen: Screen) -> None:
    """Start everything and stay until SIGINT or SIGTERM.

    Raises:
        SetupError: something must be changed first; nothing is left running.
    """
    for folder in (config.home.home, config.home.run, config.home.logs):
        require_folder(folder)
    lock = FileLock(config.lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise AlreadyRunningError(
            f"Buddy is already running with {config.home.home}. `buddy status` shows it,"
            " `buddy down` stops it."
        ) from exc
    with lock:
        _clear_leftovers(config, screen)
        state = _first_state(config, options)
        state.save(config.state_file)  # `down` and `status` find us while we still install, too
        try:
            family = _prepare(config, options, screen)
            asyncio.run(_Up(config, options, screen, state, family).run())
        finally:
            config.state_file.unlink(missing_ok=True)


def _first_state(config: UpConfig, options: UpOptions) -> UpState:
    me = ProcessRecord.of(os.getpid())
    if me is None:
        raise RuntimeError("a process that does not find itself")
    flower = config.flower
    return UpState(
        supervisor=me,
        url=f"http://{children.reachable(config.web.host)}:{config.web.port}",
        flower_url=f"http://{flower.host}:{flower.port}" if options.flower else None,
    )


def _clear_leftovers(config: UpConfig, screen: Screen) -> None:
    """End children of an earlier `up` that was killed; the gateway is not among them."""
    state = UpState.load(config.state_file)
    if state is None:
        return
    leftovers = [record for record in state.children.values() if record.alive]
    if leftovers:
        end_processes(leftovers)
        screen.step("clean-up", f"ended {len(leftovers)} processes of an earlier start")
    config.state_file.unlink(missing_ok=True)


def _prepare(config: UpConfig, options: UpOptions, screen: Screen) -> list[children.Child]:
    """Check and set up all that the children need; return them, none started."""
    web, watchdog, flower = config.web, config.watchdog, config.flower
    token = require_token(config.auth, config.home)
    ports = [web.port, watchdog.port, *([flower.port] if options.flower else [])]
    if len(set(ports)) < len(ports):
        text = ", ".join(map(str, ports))
        raise PortInUseError(f"API, watchdog and Flower need a port each, but have {text}.")
    require_port(web.host, web.port, use="the API", remedy="Stop it, or pass --port.")
    require_port(watchdog.host, watchdog.port, use="the watchdog", remedy="Set BUDDY_WATCHDOG_PORT.")
    if options.flower:
        remedy = "Set BUDDY_FLOWER_PORT, or pass --no-flower."
        require_port(flower.host, flower.port, use="Flower", remedy=remedy)
    family: list[children.Child] = []
    if config.broker.url is not None:
        redis_url = config.broker.require()
        require_redis(redis_url)
        screen.step("broker", redis_address(redis_url))
    else:
        embedded = EmbeddedBroker(config.home)
        redis_url = embedded.url
        family.append(children.broker_child(embedded.arguments, redis_url))
        screen.step("broker", f"embedded, {redis_address(redis_url)}")
    database_url = config.database.resolve(config.home.home)
    require_database(database_url)
    screen.step("database", database_address(database_url))
    _prepare_openclaw(config, options, screen)
    environment = children.service_environment(
        config.gateway, BUDDY_REDIS_URL=redis_url, BUDDY_DATABASE_URL=database_url
    )
    family += [
        children.web_child(environment, web),
        *(children.worker_child(lane, environment) for lane in Lane),
        children.watchdog_child(environment, watchdog),
    ]
    if options.flower:
        family.append(children.flower_child(redis_url, flower, token=token))
    return family


def _prepare_openclaw(config: UpConfig, options: UpOptions, screen: Screen) -> None:
    program = ensure_openclaw(
        screen, config.openclaw, config.home.runtime, may_install=options.install_openclaw
    )
    if program is None:
        screen.warn("openclaw", "not found; `buddy openclaw install` installs it")
        return
    screen.step("openclaw", f"{program.version}, {program.path}")
    ensure_config(screen, config.gateway)


class _Up:
    """The running part: children up, gateway asked to start, then wait for a signal."""

    def __init__(
        self,
        config: UpConfig,
        options: UpOptions,
        screen: Screen,
        state: UpState,
        family: list[children.Child],
    ) -> None:
        self._config = config
        self._options = options
        self._screen = screen
        self._state = state
        self._supervisor = Supervisor(family, logs=config.home.logs, on_change=self._save)
        self._api = ApiClient(state.url, resolve_token(config.auth, config.home))

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
                loop.add_signal_handler(number, stop.set)  # under nohup, SIGHUP stays ignored
        working = asyncio.create_task(self._start())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()  # raises what kept it from starting
                await stopping
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait([working, stopping])
            self._screen.out.print("Stopping; the gateway is left as it is …")
            await self._supervisor.stop()

    def _save(self, supervisor: Supervisor) -> None:
        records = {
            keeper.child.name: record
            for keeper in supervisor.keepers
            if keeper.pid is not None and (record := ProcessRecord.of(keeper.pid)) is not None
        }
        restarts = {keeper.child.name: keeper.restarts for keeper in supervisor.keepers}
        state = self._state.model_copy(update={"children": records, "restarts": restarts})
        state.save(self._config.state_file)

    async def _start(self) -> None:
        began = time.monotonic()
        await self._supervisor.start(seconds=START_SECONDS)
        await self._until_ready(began + START_SECONDS)
        self._screen.step("ready", f"{self._state.url} ({time.monotonic() - began:.1f} s)")
        self._show()
        if self._options.start_gateway:
            await self._start_gateway()

    async def _until_ready(self, deadline: float) -> None:
        while True:
            status, body = await self._api.get("/ready")
            if status == 200:  # noqa: PLR2004 - the HTTP status
                return
            if time.monotonic() > deadline:
                raise StartError(f"Not ready after {START_SECONDS:.0f} s: {body.get('data')}")
            await asyncio.sleep(0.2)

    def _show(self) -> None:
        home = self._config.home
        show = partial(self._screen.out.print, markup=False)
        show(f"  API docs  {self._state.url}/docs")
        if self._options.flower:
            flower = self._config.flower
            show(f"  Flower    http://{flower.host}:{flower.port} (user buddy, password: the token)")
        if self._config.auth.token is None:
            show(f"  Token     in {home.token_file}; `buddy token` shows it")
        show(f"  Logs      {home.logs}")
        show("  Ctrl-C stops Buddy; the gateway keeps running.")

    async def _start_gateway(self) -> None:
        """Ask for the gateway, unless its operator stopped it on purpose; a failure is only told."""
        # from the node's own file: the read model may be empty, or wait for a slow `openclaw --version`
        if await FileHostState(self._config.home.node_state).desired() is Desired.STOPPED:
            self._screen.warn("gateway", "stopped on purpose; POST /v1/gateway/start starts it")
            return
        status, body = await self._api.post("/v1/gateway/start", node=self._config.home.node)
        if status != 202:  # noqa: PLR2004 - the HTTP status
            self._screen.warn("gateway", str(body.get("message", "the api does not answer")))
            return
        try:
            task = await self._api.finish_task(body["data"]["taskID"])
        except StartError as exc:
            self._screen.warn("gateway", exc.message)
            return
        if task["status"] == "Completed":
            result = task["result"]
            self._screen.step("gateway", f"ready on port {result['port']} (pid {result['pid']})")
        else:
            self._screen.warn("gateway", f"{task['status']}: {task['error']}")
