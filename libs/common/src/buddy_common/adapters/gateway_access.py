"""How to get into this host's gateway: its port, its token, and that it is OpenClaw who gets to see that."""

import os
import re
from collections.abc import Mapping

from buddy_common.adapters.openclaw_config import Config, gateway_token

TOKEN_VARIABLE = "OPENCLAW_GATEWAY_TOKEN"  # noqa: S105 - the name of a variable
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
