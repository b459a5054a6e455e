"""Which plugins OpenClaw has at this moment: asked of the gateway, or of the command where none runs."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from buddy_common.adapters.openclaw_cli import find_json
from buddy_common.errors import (
    BundledPluginError,
    GatewayRefusedError,
    GatewayRpcError,
    GatewayUnreachableError,
    UnknownPluginError,
)
from buddy_worker.audited import Made
from buddy_worker.gateway_calls import call_gateway
from buddy_worker.jobs import AnyJob, RunningJob

_REGISTRIES = frozenset({"npm", "clawhub", "official"})
_VERSION = re.compile(r"(?<=.)@[^@/]*$")


@dataclass(frozen=True)
class ListedPlugin:
    """A plugin that is there, bundled or installed."""

    id: str
    version: str | None
    enabled: bool
    bundled: bool
    package: str | None  # what installs it, without a version; None where that is not known
    status: str | None = None  # in OpenClaw's own word, such as `loaded` or `error`
    channels: tuple[str, ...] = ()  # that it brings


async def list_plugins(job: RunningJob[AnyJob]) -> dict[str, ListedPlugin]:
    """Return the plugins that are there, by their ids.

    Raises:
        GatewayConfigError: the config cannot be read.
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: it does not list them.
    """
    rows = await _of_gateway(job)
    if rows is None:
        rows = await _of_command(job)
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    # the newer generation also lists what could be installed
    return {
        str(row["id"]): _plugin(row) for row in found if "id" in row and row.get("installed") is not False
    }


def require_installed(listed: dict[str, ListedPlugin], plugin: str, *, instead: str) -> ListedPlugin:
    """Return the plugin of this id.

    Raises:
        UnknownPluginError: OpenClaw has none.
        BundledPluginError: it is part of OpenClaw; `instead` says what can be done.
    """
    found = listed.get(plugin)
    if found is None:
        raise UnknownPluginError(plugin)
    if found.bundled:
        raise BundledPluginError(plugin, instead=instead)
    return found


def plugin_made(before: ListedPlugin | None, after: ListedPlugin | None) -> list[Made]:
    """Return what has become of a plugin, as the audit keeps it."""
    plugin = before or after
    return [] if plugin is None else [Made(f"plugin {plugin.id}", _seen(before), _seen(after))]


def package_of(spec: str) -> str:
    """Return a package's name without its version."""
    return _VERSION.sub("", spec)


async def _of_gateway(job: RunningJob[AnyJob]) -> Any:
    """Return the gateway's rows, None where none answers; it takes a tenth of what a command takes."""
    state = await asyncio.to_thread(job.host.config_files.read)
    try:
        async with call_gateway(job.host, state.config) as call:
            if not call.has("plugins.list"):
                return None
            answer = await call.call("plugins.list")
    except (GatewayUnreachableError, GatewayRefusedError, GatewayRpcError):
        return None
    return answer.get("plugins") if isinstance(answer, dict) else None


async def _of_command(job: RunningJob[AnyJob]) -> Any:
    answer = find_json(
        await job.host.cli.run(
            ["plugins", "list"],
            flags=["--json"],
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
    )
    return answer.get("plugins") if isinstance(answer, dict) else None


def _seen(plugin: ListedPlugin | None) -> dict[str, Any] | None:
    return None if plugin is None else {"version": plugin.version, "enabled": plugin.enabled}


def _plugin(row: dict[str, Any]) -> ListedPlugin:
    trust = row.get("trust")
    package = row.get("packageName")
    if package is None and isinstance(trust, dict) and trust.get("installSource") in _REGISTRIES:
        package = trust.get("installSpec")
    return ListedPlugin(
        id=str(row["id"]),
        version=row["version"] if isinstance(row.get("version"), str) else None,
        enabled=row.get("enabled") is True,
        bundled=row.get("origin") == "bundled",
        package=package_of(package) if isinstance(package, str) else None,
        status=_status(row),
        channels=_channels(row),
    )


def _channels(row: dict[str, Any]) -> tuple[str, ...]:
    channels = row.get("channelIds")
    return tuple(map(str, channels)) if isinstance(channels, list) else ()


def _status(row: dict[str, Any]) -> str | None:
    """Both generations tell it, under different names."""
    status = row.get("status") or row.get("state")
    return status if isinstance(status, str) else None
