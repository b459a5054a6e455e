"""What can be read and changed on this node, and by which way, with the OpenClaw in front of it."""

from typing import Any

from buddy_common.adapters.gateway_rpc import Hello
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.table import READS, Read
from buddy_worker.usecases.patch_config import PATCH_METHODS

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
_FILE_ROUTES = ("GET /v1/openclaw/bots/file", "POST /v1/openclaw/bots/file")
_CONFIG_CHANGES = (
    "POST /v1/openclaw/bots/add",
    "POST /v1/openclaw/bots/template",
    "POST /v1/openclaw/bots/update",
    "POST /v1/openclaw/bots/set-identity",
    "POST /v1/openclaw/bots/set-model",
    "POST /v1/openclaw/bots/delete",
    "POST /v1/openclaw/bots/restore",
    "POST /v1/openclaw/models/provider",
    "POST /v1/openclaw/models/provider/model",
    "DELETE /v1/openclaw/models/provider/{provider}",
    "DELETE /v1/openclaw/models/provider/{provider}/model/{model}",
    "POST /v1/openclaw/models/set-default",
    "POST /v1/openclaw/plugins/enable",
    "POST /v1/openclaw/plugins/disable",
    "POST /v1/openclaw/chat/enable",
)
_COMMANDS = (
    "POST /v1/openclaw/plugins/install",
    "POST /v1/openclaw/plugins/update",
    "DELETE /v1/openclaw/plugins/{id}",
    "DELETE /v1/openclaw/skills/{name}",
    "POST /v1/wechat/install",
    "GET /v1/wechat/qrcode",
)
_NOT_INSTALLED = "OpenClaw is not installed"
_NOT_CONNECTED = "the gateway is not connected"


def capabilities_of(hello: Hello | None, *, version: str | None, problem: str | None) -> dict[str, Any]:
    """Return the way of each route: `rpc`, `cli`, `file` or `unavailable`, and why it is not the first."""
    installed = version is not None
    reads = [_way(read, hello, installed=installed) for read in READS]
    changes = _change_way(hello, installed=installed)
    command = (
        {"way": "cli", "reason": None} if installed else {"way": "unavailable", "reason": _NOT_INSTALLED}
    )
    routes = [
        *reads,
        *({"route": route, "methods": [], "way": "file", "reason": None} for route in _FILE_ROUTES),
        *({"route": route, "methods": list(PATCH_METHODS), **changes} for route in _CONFIG_CHANGES),
        *({"route": route, "methods": [], **command} for route in _COMMANDS),
    ]
    return {
        "version": hello.version if hello else version,
        "protocol": hello.protocol if hello else None,
        "connected": hello is not None,
        "problem": None if hello else problem,
        "routes": routes,
    }


def _way(read: Read, hello: Hello | None, *, installed: bool) -> dict[str, Any]:
    missing = [name for name in read.methods if hello is not None and name not in hello.methods]
    reason = None
    if read.gateway is not None and hello is not None and not missing:
        way = "rpc"
    else:
        if read.gateway is not None:
            reason = _lacks(missing) if missing else _NOT_CONNECTED
        way = _second_way(read, connected=hello is not None, installed=installed)
    return {"route": _ROUTES[read.resource], "way": way, "methods": list(read.methods), "reason": reason}


def _change_way(hello: Hello | None, *, installed: bool) -> dict[str, Any]:
    """Return how a change of the config is made, and why not by a patch."""
    missing = [name for name in PATCH_METHODS if hello is not None and name not in hello.methods]
    if hello is not None and not missing:
        return {"way": "rpc", "reason": None}
    reason = _lacks(missing) if missing else _NOT_CONNECTED
    if not installed:  # nobody could judge the candidate
        return {"way": "unavailable", "reason": f"{reason}, and {_NOT_INSTALLED}"}
    return {"way": "file", "reason": reason}


def _lacks(methods: list[str]) -> str:
    return f"this OpenClaw has no {', '.join(methods)}"


def _second_way(read: Read, *, connected: bool, installed: bool) -> str:
    if read.files is not None and not (connected and read.command is not None):
        return "file"
    return "cli" if read.command is not None and installed else "unavailable"
