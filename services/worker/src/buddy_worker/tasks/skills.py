"""OpenClaw's skills as jobs."""

import asyncio
from typing import Any

from pydantic import BaseModel

from buddy_common.adapters.config_include import read_effective_config
from buddy_common.adapters.openclaw_cli import find_json, require_success
from buddy_common.adapters.openclaw_config import default_agent
from buddy_common.adapters.openclaw_version import is_old_generation
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import InvalidRequestError
from buddy_common.schemas.skill_jobs import UninstallSkillJob
from buddy_worker.jobs import RunningJob
from buddy_worker.reads.skills import rows_of
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.find_workspace import find_workspace
from buddy_worker.usecases.uninstall_skill import uninstall_skill


class _Commands:
    """`openclaw skills` for one bot; the older generation takes none and means the default one."""

    def __init__(self, job: RunningJob[UninstallSkillJob], *, agent: str, old: bool) -> None:
        self._job = job
        self._options = {} if old else {"--agent": agent}

    async def info(self, name: str) -> dict[str, Any]:
        """Return what OpenClaw says of one skill."""
        answer = await self._json(["skills", "info"], values=[name])
        return answer if isinstance(answer, dict) else {}

    async def rows(self) -> list[dict[str, Any]]:
        """Return all skills."""
        return rows_of(await self._json(["skills", "list"]))

    async def _json(self, command: list[str], *, values: list[str] | None = None) -> Any:
        job = self._job
        done = await job.host.cli.run(
            command,
            values=values or [],
            flags=["--json"],
            options=self._options,
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
        answer = await asyncio.to_thread(find_json, done)
        require_success(answer)
        return answer


@handles(UninstallSkillJob)
async def _uninstall(job: RunningJob[UninstallSkillJob]) -> BaseModel:
    host, asked = job.host, job.payload
    settings = host.gateway_settings
    config = await asyncio.to_thread(read_effective_config, settings.config_file) or {}
    default = default_agent(config)
    agent = asked.agent or default
    workspace = await find_workspace(host.read_model, RefreshRequests(host.redis), node=host.node, bot=agent)
    old = is_old_generation((await host.openclaw.inspect()).version or "")
    if old and agent != default:
        raise InvalidRequestError(
            f"agent: this OpenClaw tells the skills of its default bot only, which is {default!r}."
        )
    return await uninstall_skill(
        _Commands(job, agent=agent, old=old),
        job,
        name=asked.name,
        workspace=workspace,
        state_dir=settings.config_dir,
        archive=host.archive,
    )
