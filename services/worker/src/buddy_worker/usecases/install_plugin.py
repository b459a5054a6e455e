"""Install a plugin of OpenClaw, and look whether it is there afterwards."""

import re
from typing import Any

from pydantic import BaseModel

from buddy_common.adapters.child_process import Stream
from buddy_common.adapters.openclaw_cli import OpenClawCli, find_json
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.errors import PluginNotInstalledError
from buddy_common.ports import OpenClaw
from buddy_worker.jobs import AnyJob, RunningJob

# both generations say so at the end
_INSTALLED = re.compile(r"^Installed plugin: (\S+)$", re.MULTILINE)


class PluginInstalled(BaseModel):
    """A plugin that OpenClaw lists."""

    id: str
    version: str | None
    enabled: bool


async def install_plugin(
    cli: OpenClawCli, openclaw: OpenClaw, job: RunningJob[AnyJob], *, spec: str, force: bool
) -> PluginInstalled:
    """Install a package from its registry; `force` takes one whose source OpenClaw does not know.

    Raises:
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
        PluginNotInstalledError: it said that it did, but does not list the plugin.
    """
    await job.stage("installing", 10)
    await job.command(f"openclaw plugins install {spec}")

    async def on_line(line: str, _stream: Stream) -> None:
        await job.line(line)

    # the old generation asks nothing and knows no such option
    asks = force and not is_old_generation((await openclaw.inspect()).version or "")
    done = await cli.run(
        ["plugins", "install"],
        values=[spec],
        flags=["--force", "--accept-capabilities"] if asks else [],
        lock_descriptors=job.lock_descriptors,
        on_started=job.runs,
        on_line=on_line,
    )
    named = _INSTALLED.findall(done.stdout)
    if not named:
        raise PluginNotInstalledError(f"OpenClaw did not say that it installed {spec!r}.")
    await job.stage("checking", 80)
    return await _listed(cli, job, named[-1])


async def _listed(cli: OpenClawCli, job: RunningJob[AnyJob], plugin_id: str) -> PluginInstalled:
    answer = find_json(
        await cli.run(
            ["plugins", "list"],
            flags=["--json"],
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
    )
    for plugin in _plugins(answer):
        if plugin.get("id") == plugin_id and plugin.get("origin") != "bundled":
            await job.line(f"OpenClaw lists {plugin_id} {plugin.get('version') or ''}".rstrip())
            return PluginInstalled(
                id=plugin_id, version=plugin.get("version"), enabled=plugin.get("enabled") is True
            )
    raise PluginNotInstalledError(f"OpenClaw installed {plugin_id!r}, but does not list it.")


def _plugins(answer: Any) -> list[dict[str, Any]]:
    plugins = answer.get("plugins") if isinstance(answer, dict) else None
    return [plugin for plugin in plugins if isinstance(plugin, dict)] if isinstance(plugins, list) else []
