"""Making sure that this machine has an OpenClaw that runs, and that it has a config to start with."""

from pathlib import Path

from buddy_cli.failures import FolderError, OpenClawUnusableError
from buddy_cli.installer import install_openclaw
from buddy_cli.screen import Screen
from buddy_common.adapters.config_file import write_first_config
from buddy_common.adapters.openclaw_program import OpenClawProgram, locate_openclaw
from buddy_common.errors import OpenClawNotFoundError, UnusableNodeError
from buddy_common.settings import GatewaySettings, OpenClawSettings


def ensure_openclaw(
    screen: Screen, settings: OpenClawSettings, runtime: Path, *, may_install: bool
) -> OpenClawProgram | None:
    """Return the OpenClaw to use, installed first if need be; None only if that is not allowed.

    Raises:
        OpenClawUnusableError: the one that was named, or the only one, cannot run.
        InstallError: it could not be installed.
    """
    try:
        return locate_openclaw(settings, runtime)
    except OpenClawNotFoundError as exc:
        refused = isinstance(exc, UnusableNodeError)
        if settings.program is not None or (refused and not may_install):
            raise OpenClawUnusableError(
                f"{exc.message} Name a Node.js that it accepts in BUDDY_OPENCLAW_NODE, or leave"
                " BUDDY_OPENCLAW empty and let Buddy install both."
            ) from exc
        if not may_install:
            return None
        if refused:
            screen.warn("openclaw", f"{exc.message} Installing one that runs.")
    install(screen, settings, runtime)
    try:
        return locate_openclaw(settings, runtime)
    except OpenClawNotFoundError as exc:
        raise OpenClawUnusableError(exc.message) from exc


def install(screen: Screen, settings: OpenClawSettings, runtime: Path, *, use: bool = True) -> Path:
    """Install OpenClaw and the Node.js for it; it becomes the one in use, unless `use` is false.

    Raises:
        InstallError: it could not be done.
    """
    with screen.long_step("openclaw") as report:
        return install_openclaw(runtime, settings.version, report=report, use=use)


def ensure_config(screen: Screen, gateway: GatewaySettings) -> None:
    """Write a first `openclaw.json` where there is none; never touch one that is there."""
    try:
        written = write_first_config(gateway.config_file)
    except OSError as exc:
        raise FolderError(
            f"Cannot write {gateway.config_file} ({exc.strerror or exc})."
            " Make its folder writable, or set OPENCLAW_CONFIG_DIR to another."
        ) from exc
    if written:
        screen.step("config", f"{gateway.config_file} (new: local mode, loopback, random token)")
