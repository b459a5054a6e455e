"""How to get into this host's gateway: its port, its token, and that it is OpenClaw who gets to see that."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import psutil

from buddy_common.adapters.openclaw_config import Config, gateway_token
from buddy_common.schemas.processes import ProcessIdentity

TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"  # noqa: S105 - the name of a variable
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


# where a connection to 127.0.0.1 ends up
_REACHED_BY_LOOPBACK = frozenset({"127.0.0.1", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def may_see_token(process: ProcessIdentity, *, port: int, config_dir: Path) -> bool:
    """Whether a connection to the port reaches this process, and its account is one that has the token.

    Anybody may call a program `openclaw-gateway` and let it listen where the gateway does not.
    """
    try:
        accounts = accounts_of(config_dir)
        found = psutil.Process(process.pid)
        listens = any(
            connection.status == psutil.CONN_LISTEN
            and connection.laddr.port == port
            and connection.laddr.ip in _REACHED_BY_LOOPBACK
            for connection in found.net_connections("tcp")
        )
        return listens and found.uids().effective in accounts
    except (psutil.Error, OSError):
        return False


def accounts_of(config_dir: Path) -> set[int]:
    """Return whose gateway it may be: ours, or that of the owner of its state."""
    return {os.geteuid(), config_dir.stat().st_uid}


def find_token(config: Config, gateway_environment: Mapping[str, str]) -> str | None:
    """Return the token that the gateway takes, None where nothing that we may read says it.

    The config goes before the gateway's own environment, as in OpenClaw; `${NAME}` in it is looked up in
    that environment, then in ours.
    """
    token = gateway_token(config)
    if token is None:
        return gateway_environment.get(TOKEN_VARIABLE)
    reference = _REFERENCE.fullmatch(token)
    if reference is None:
        return token
    return gateway_environment.get(reference[1]) or os.environ.get(reference[1])
