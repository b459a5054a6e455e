"""What can be read and changed on this node, and by which way, with the OpenClaw in front of it."""

from typing import Any

from buddy_common.adapters.gateway_rpc import Hello
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.table import READS, Read

_ROUTES = {
    Resource.BOTS_MODELS: "GET /v1/openclaw/bots-models",
    Resource.BOTS_TOP: "GET /v1/openclaw/bots/top",
    Resource.MODELS_CONFIG: "GET /v1/openclaw/models/config",
    Resource.SKILLS: "GET /v1/openclaw/skills",
    Resource.PLUGINS: "GET /v1/openclaw/plugins",
    Resource.SESSIONS: "GET /v1/openclaw/sessions",
    Resource.CHAT: "GET /v1/openclaw/chat/status",
    Resource.WECHAT: "GET /v1/wechat/config/status",
}


def capabilities_of(hello: Hello | None, *, version: str | None, problem: str | None) -> dict[str, Any]:
    """Return the way of each route: `rpc`, `cli`, `file` or `unavailable`, and why it is not the first."""
    routes = [_way(read, hello, installed=version is not None) for read in READS]
    files: dict[str, Any] = {
        "route": "GET /v1/openclaw/bots/file",
        "way": "file",
        "methods": [],
        "reason": None,
    }
    return {
        "version": hello.version if hello else version,
        "protocol": hello.protocol if hello else None,
        "connected": hello is not None,
        "problem": None if hello else problem,
        "routes": [*routes, files],
    }


def _way(read: Read, hello: Hello | None, *, installed: bool) -> dict[str, Any]:
    missing = [name for name in read.methods if hello is not None and name not in hello.methods]
    reason = None
    if read.gateway is not None and hello is not None and not missing:
        way = "rpc"
    else:
        if read.gateway is not None:
            reason = (
                f"this OpenClaw has no {', '.join(missing)}" if missing else "the gateway is not connected"
            )
        way = _second_way(read, connected=hello is not None, installed=installed)
    return {"route": _ROUTES[read.resource], "way": way, "methods": list(read.methods), "reason": reason}


def _second_way(read: Read, *, connected: bool, installed: bool) -> str:
    if read.files is not None and not (connected and read.command is not None):
        return "file"
    return "cli" if read.command is not None and installed else "unavailable"
