"""`buddy up`: prepare, start everything, stay until told to stop. The gateway outlives it."""

import asyncio
import os
import signal
import time
from functools import partial

from filelock import FileLock, Timeout

from buddy_cli import children
from buddy_cli.api_client import ApiClient
from buddy_cli.failures import AlreadyRunningError, StartError
from buddy_cli.first_start import ask_api_to_start, start_beside
from buddy_cli.preflight import require_folder
from buddy_cli.prepare import prepare, require_roads
from buddy_cli.screen import Screen
from buddy_cli.state import ProcessRecord, UpState, end_processes
from buddy_cli.supervisor import Supervisor
from buddy_cli.up_config import UpConfig, UpOptions
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.presence import Presence
from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.job import Lane

START_SECONDS = 120.0  # five Python processes took 4 s idle; this is for a machine under load
POLL_SECONDS = 0.2


def run_up(config: UpConfig, options: UpOptions, screen: Screen) -> None:
    """Start everything of this plane and stay until SIGINT or SIGTERM.

    Raises:
        SetupError: something must be changed first; nothing is left running.
    """
    require_roads(config, options.plane)
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
            family = prepare(config, options, screen)
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
        plane=options.plane,
        url=f"http://{children.reachable(config.web.host)}:{config.web.port}"
        if options.plane.has_control
        else None,
        flower_url=f"http://{flower.host}:{flower.port}" if options.has_flower else None,
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
        self._api = (
            None if state.url is None else ApiClient(state.url, resolve_token(config.auth, config.home))
        )
        self._service_environment = family[0].environment

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
        where = self._state.url or f"node {self._config.home.node}"
        self._screen.step("ready", f"{where} ({time.monotonic() - began:.1f} s)")
        self._show()
        if self._options.start_gateway and self._options.plane.has_host:
            await self._start_gateway()

    async def _until_ready(self, deadline: float) -> None:
        while (missing := await self._missing()) is not None:
            if time.monotonic() > deadline:
                raise StartError(f"Not ready after {START_SECONDS:.0f} s: {missing}")
            await asyncio.sleep(POLL_SECONDS)

    async def _missing(self) -> str | None:
        """Return what is not ready yet, None when all of this plane is."""
        if self._api is not None:
            return await self._api.missing(with_workers=self._options.plane.has_host)
        return await _lanes_missing(self._config)

    def _show(self) -> None:
        home = self._config.home
        show = partial(self._screen.out.print, markup=False)
        if self._state.url is not None:
            show(f"  API docs  {self._state.url}/docs")
        if self._options.has_flower:
            flower = self._config.flower
            show(f"  Flower    http://{flower.host}:{flower.port} (user buddy, password: the token)")
        if self._state.url is not None and self._config.auth.token is None:
            show(f"  Token     in {home.token_file}; `buddy token` shows it")
        show(f"  Logs      {home.logs}")
        show("  Ctrl-C stops Buddy; the gateway keeps running.")

    async def _start_gateway(self) -> None:
        """Ask for the gateway, unless its operator stopped it on purpose; a failure is only told."""
        home = self._config.home
        # from the node's own file: the read model may be empty, or wait for a slow `openclaw --version`
        if await FileHostState(home.node_state).desired() is Desired.STOPPED:
            self._screen.warn("gateway", "stopped on purpose; POST /v1/gateway/start starts it")
        elif self._api is not None:
            await ask_api_to_start(self._api, self._screen, node=home.node)
        else:
            await start_beside(self._service_environment, self._screen, logs=home.logs)


async def _lanes_missing(config: UpConfig) -> str | None:
    """Return which lanes of this node no worker consumes yet; there is no api here to ask."""
    redis = open_redis(config.broker.require())
    try:
        alive = {worker.lane for worker in await Presence(redis).listing() if worker.node == config.home.node}
    except BrokerUnavailableError as exc:
        return exc.message
    finally:
        await redis.aclose()
    missing = sorted(set(Lane) - alive)
    return f"nobody consumes the lanes: {', '.join(missing)}" if missing else None
