"""The `buddy` command."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
from pydantic import ValidationError
from rich.table import Table

from buddy_cli.api_client import ApiClient
from buddy_cli.failures import SettingsError, StartError
from buddy_cli.openclaw_setup import install
from buddy_cli.planes import Plane
from buddy_cli.preflight import database_address, require_database, require_folder, require_token
from buddy_cli.screen import Screen
from buddy_cli.state import UpState, end_processes, wait_gone
from buddy_cli.up import run_up
from buddy_cli.up_config import UpConfig, UpOptions
from buddy_common.adapters.openclaw_program import locate_openclaw
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.entry import PRIVATE_UMASK
from buddy_common.errors import OpenClawNotFoundError, SetupError

_EXIT_CODES = (
    "Exit codes: 3 port in use, 4 OpenClaw or Node.js unusable, 5 folder not writable,"
    " 6 Redis unreachable, 7 database unusable, 8 already running, 9 install failed,"
    " 10 a service did not come up, 11 a setting is wrong,"
    " 12 a host plane without Redis and database of its control plane."
)
DOWN_SECONDS = 15.0

app = typer.Typer(
    help="OpenClaw Buddy: the out-of-band operator of OpenClaw gateways.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
openclaw_app = typer.Typer(help="The OpenClaw that Buddy installs.", no_args_is_help=True)
app.add_typer(openclaw_app, name="openclaw")
screen = Screen()


@app.command(epilog=_EXIT_CODES)
def up(
    plane: Annotated[
        Plane,
        typer.Option(
            help="Start all, or a part: `host` is what must run beside a gateway (workers, watchdog, proxy)"
            " and needs --redis-url and --database-url; `control` is the rest.",
        ),
    ] = Plane.ALL,
    redis_url: Annotated[str | None, typer.Option(help="Use this Redis instead of the embedded one.")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Use this database: sqlite:///… or postgresql://…")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Listen on this port [3000].")] = None,
    *,
    install_openclaw: Annotated[
        bool,
        typer.Option(
            "--install-openclaw/--no-install-openclaw",
            help="Install OpenClaw and its Node.js if there is none.",
        ),
    ] = True,
    flower: Annotated[bool, typer.Option("--flower/--no-flower", help="Start Flower.")] = True,
    start_gateway: Annotated[
        bool,
        typer.Option(
            "--start-gateway/--no-start-gateway",
            help="Start the gateway if it is down and was not stopped on purpose.",
        ),
    ] = True,
) -> None:
    """Start Buddy on this machine and stay; Ctrl-C stops it, the gateway keeps running."""
    given = {
        "BUDDY_REDIS_URL": redis_url,
        "BUDDY_DATABASE_URL": database_url,
        "BUDDY_WEB_HOST": host,
        "BUDDY_WEB_PORT": str(port) if port is not None else None,
    }
    # the command line is the environment of this run: children see it too
    os.environ.update({name: value for name, value in given.items() if value is not None})
    options = UpOptions(
        plane=plane, install_openclaw=install_openclaw, flower=flower, start_gateway=start_gateway
    )
    with_clear_errors(lambda: run_up(_config(), options, screen))


@app.command()
def down() -> None:
    """Stop a running `buddy up`; the gateway keeps running."""
    with_clear_errors(_down)


def _down() -> None:
    config = _config()
    state = UpState.load(config.state_file)
    if state is None:
        screen.out.print("Buddy is not running.")
        return
    if state.supervisor.alive:
        state.supervisor.signal(signal.SIGTERM)
        if not wait_gone(state.supervisor, seconds=DOWN_SECONDS):
            raise StartError(f"buddy up (pid {state.supervisor.pid}) did not stop in time.")
    else:
        end_processes(list(state.children.values()))
        config.state_file.unlink(missing_ok=True)
    screen.out.print("Buddy is stopped; the gateway is left as it is.")


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what runs; exit code 1 when Buddy does not, or is not ready."""
    with_clear_errors(lambda: _status(as_json=as_json))


def _status(*, as_json: bool) -> None:
    config = _config()
    state = UpState.load(config.state_file)
    if state is None or not state.supervisor.alive:
        screen.out.print_json('{"running": false}') if as_json else screen.out.print(
            "Buddy is not running. `buddy up` starts it."
        )
        raise typer.Exit(1)
    if state.url is None:
        ready, gateway = _of_children(state), None
    else:
        client = ApiClient(state.url, resolve_token(config.auth, config.home))
        ready, gateway = asyncio.run(_ask(client, state.plane, node=config.home.node))
    if as_json:
        report = {"running": True, "ready": ready, "gateway": gateway, **state.model_dump()}
        screen.out.print_json(json.dumps(report))
    else:
        _print_status(state, ready=ready, gateway=gateway)
    if not ready:
        raise typer.Exit(1)


def _of_children(state: UpState) -> bool:
    """Whether a host plane, which has no api that could be asked, is ready: all its processes run."""
    return bool(state.children) and all(record.alive for record in state.children.values())


async def _ask(client: ApiClient, plane: Plane, *, node: str) -> "tuple[bool, dict[str, object] | None]":
    missing = await client.missing(with_workers=plane.has_host)
    if not plane.has_host:
        return missing is None, None
    status_code, body = await client.get("/v1/openclaw/status", node=node)
    return missing is None, body.get("data") if status_code == httpx.codes.OK else None


def _print_status(state: UpState, *, ready: bool, gateway: "dict[str, object] | None") -> None:
    table = Table("service", "pid", "state", "restarts", box=None)
    table.add_row("buddy up", str(state.supervisor.pid), "running", "")
    for name, record in state.children.items():
        alive = "running" if record.alive else "restarting"
        table.add_row(name, str(record.pid), alive, str(state.restarts.get(name, 0)))
    if gateway is not None:
        table.add_row("gateway", str(gateway["pid"] or "-"), str(gateway["status"]), "")
    screen.out.print(table)
    screen.out.print(f"{state.url or 'host plane'}: {'ready' if ready else 'not ready'}")


@app.command()
def token(
    *, path: Annotated[bool, typer.Option("--path", help="Print the file, not the token.")] = False
) -> None:
    """Print the token that the API, the login and Flower take."""
    with_clear_errors(lambda: _token(path=path))


def _token(*, path: bool) -> None:
    config = _config()
    if path:
        print(config.home.token_file)  # noqa: T201 - plain, for scripts
        return
    require_folder(config.home.home)
    print(require_token(config.auth, config.home))  # noqa: T201 - plain, for scripts


@app.command()
def migrate(
    database_url: Annotated[
        str | None, typer.Option(help="This database instead of the configured one.")
    ] = None,
) -> None:
    """Bring the database's schema up to date."""

    def work() -> None:
        config = _config()
        require_folder(config.home.home)
        url = database_url or config.database.resolve(config.home.home)
        require_database(url)
        screen.step("database", database_address(url))

    with_clear_errors(work)


@openclaw_app.command("install")
def openclaw_install(
    version: Annotated[str | None, typer.Option(help="This version instead of the pinned one.")] = None,
    *,
    beside: Annotated[bool, typer.Option("--beside", help="Leave the version in use as it is.")] = False,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Only if there is none that runs.")
    ] = False,
) -> None:
    """Install OpenClaw and the Node.js it needs into Buddy's runtime folder, and use it from now on."""
    with_clear_errors(lambda: _install(version, beside=beside, if_missing=if_missing))


def _install(version: str | None, *, beside: bool, if_missing: bool) -> None:
    if version is not None:
        os.environ["BUDDY_OPENCLAW_VERSION"] = version
    config = _config()
    if if_missing:
        try:
            found = locate_openclaw(config.openclaw, config.home.runtime)
        except OpenClawNotFoundError:
            pass
        else:
            screen.step("openclaw", f"{found.version}, {found.path}")
            return
    for folder in (config.home.home, config.home.runtime):
        require_folder(folder)
    path: Path = install(screen, config.openclaw, config.home.runtime, use=not beside)
    screen.step("openclaw", f"{config.openclaw.version}, {path}")


def _config() -> UpConfig:
    try:
        return UpConfig.from_environment()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{name}: {first['msg']}") from exc


def with_clear_errors(work: Callable[[], None]) -> None:
    """Run a command; what the operator must change is one line and an exit code, no traceback."""
    # a SIGTERM in the middle of an install cleans up like Ctrl-C; `up` takes over once it runs
    signal.signal(signal.SIGTERM, _interrupt)
    os.umask(PRIVATE_UMASK)
    try:
        work()
    except SetupError as exc:
        _fail(exc)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(exc: SetupError) -> NoReturn:
    screen.error(exc.message)
    raise typer.Exit(exc.exit_code)
