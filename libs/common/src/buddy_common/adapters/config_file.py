"""Reading `openclaw.json` (JSON5), and writing the first one where there is none."""

import json
import secrets
from pathlib import Path
from typing import Any

import pyjson5

from buddy_common.adapters.secret_file import create_whole
from buddy_common.errors import GatewayConfigError

DEFAULT_PORT = 18789
_LAST_PORT = 65535


def read_config(path: Path) -> dict[str, Any] | None:
    """Return the parsed file, None when there is none.

    Raises:
        GatewayConfigError: it is not a JSON5 object. Nothing may be written over such a file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise GatewayConfigError(f"{path} cannot be read: {exc}") from exc
    try:
        config = pyjson5.loads(text)
    except pyjson5.Json5Exception as exc:
        raise GatewayConfigError(f"{path} is not valid JSON5: {exc.args[0]}") from exc
    if not isinstance(config, dict):
        raise GatewayConfigError(f"{path} holds no object, but {type(config).__name__}.")
    return config


def configured_port(config: dict[str, Any] | None) -> int:
    """Return `gateway.port`, or OpenClaw's default where it is not set or cannot be."""
    section = (config or {}).get("gateway")
    port = section.get("port") if isinstance(section, dict) else None
    if isinstance(port, int) and not isinstance(port, bool) and 0 < port <= _LAST_PORT:
        return port
    return DEFAULT_PORT


def configured_bind(config: dict[str, Any] | None) -> str | None:
    """Return `gateway.bind`, None where the operator has not said where the gateway listens."""
    section = (config or {}).get("gateway")
    bind = section.get("bind") if isinstance(section, dict) else None
    return bind if isinstance(bind, str) else None


def write_first_config(path: Path) -> bool:
    """Create a minimal config, so that a fresh OpenClaw starts; False when a file is there already.

    Local mode, loopback only, a random token, mode 0600. An existing file is never touched.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = {
        "gateway": {
            "mode": "local",
            "bind": "loopback",
            "auth": {"mode": "token", "token": secrets.token_urlsafe(32)},
        }
    }
    try:
        create_whole(path, json.dumps(config, indent=2).encode() + b"\n")
    except FileExistsError:
        return False
    return True
