"""What OpenClaw has besides what its config says: models of its catalogue, and plugins."""

import json
from typing import Any

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_cli import find_json
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.errors import BrokerUnavailableError, UnknownPluginError
from buddy_common.schemas.resources import Resource
from buddy_worker.jobs import AnyJob, RunningJob


async def is_new_openclaw(host: HostPlane) -> bool:
    """Whether this host's OpenClaw is of the newer generation."""
    return not is_old_generation((await host.openclaw.inspect()).version or "")


async def known_models(host: HostPlane) -> set[str]:
    """Return the models that OpenClaw listed last, as `provider/id`."""
    listed = await _last(host, Resource.BOTS_MODELS)
    models = listed.get("models") if isinstance(listed, dict) else None
    return {str(model["id"]) for model in models or []}


async def known_workspaces(host: HostPlane) -> dict[str, str]:
    """Return where OpenClaw said the workspaces of bots are, where it did not only guess."""
    listed = await _last(host, Resource.BOTS_MODELS)
    bots = listed.get("bots") if isinstance(listed, dict) else None
    return {
        row["id"]: row["workspace"]
        for row in bots or []
        if row["workspace"] and not row.get("workspaceGuessed")
    }


async def require_plugin(job: RunningJob[AnyJob], plugin: str) -> None:
    """Check that OpenClaw has the plugin: the older generation takes any name.

    Raises:
        UnknownPluginError: it lists none of this id.
        OpenClawCliError: it does not list any.
    """
    host = job.host
    listed = await _last(host, Resource.PLUGINS)
    if _has(listed, plugin):
        return
    await job.command("openclaw plugins list")
    answer = find_json(
        await host.cli.run(
            ["plugins", "list"],
            flags=["--json"],
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
    )
    if not _has(answer.get("plugins") if isinstance(answer, dict) else None, plugin):
        raise UnknownPluginError(plugin)


def _has(rows: Any, plugin: str) -> bool:
    """Whether a list has the plugin, and not only as one that could be installed."""
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return any(row.get("id") == plugin and row.get("installed") is not False for row in found)


async def _last(host: HostPlane, resource: Resource) -> Any:
    try:
        entry = await host.read_model.get(host.node, resource)
    except BrokerUnavailableError:
        return None
    return None if entry is None else json.loads(entry.data)
