"""The skills of the default bot, as OpenClaw lists them."""

from typing import Any

from buddy_common.adapters.openclaw_config import default_agent
from buddy_worker.reads.sources import Files, GatewayCalls, OpenClawCommands


async def read_skills(gateway: GatewayCalls, files: Files) -> list[dict[str, Any]]:
    """Ask the gateway; with several agents the newer generation insists on being told whose."""
    answer = await gateway.call("skills.status", {"agentId": default_agent(files.config)})
    return rows_of(answer)


async def list_skills(openclaw: OpenClawCommands, files: Files) -> list[dict[str, Any]]:
    """Ask the command; it works without a gateway."""
    options = {} if await openclaw.is_old() else {"--agent": default_agent(files.config)}
    return rows_of(await openclaw.json("skills", "list", options=options))


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """Return the skills in an answer of either way, which is the same for both."""
    rows = answer.get("skills") if isinstance(answer, dict) else None
    return [row for row in rows or [] if isinstance(row, dict)]
