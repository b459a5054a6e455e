"""`${NAME}` in `openclaw.json`: which variables OpenClaw sees, and what a text with them says.

Source: OpenClaw's docs/gateway/configuration, "Environment variables"; its process goes before the `.env` of
its state folder, and that before `env.vars` of the config.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from buddy_common.adapters.openclaw_config import Config, section
from buddy_common.errors import UnresolvedKeyError

_REFERENCE = re.compile(r"\$(\$?)\{([A-Z_][A-Z0-9_]*)\}")
# a line as npm's `dotenv` reads it
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*|:[ \t]+)"""
    r"""('(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`|[^#\r\n]*)""",
    re.MULTILINE,
)
_QUOTES = "'\"`"
_NO_VARIABLES = frozenset({"vars", "shellEnv"})


def variables_of(config: Config, process: Mapping[str, str], state_dir: Path) -> dict[str, str]:
    """Return what OpenClaw sees, where its process was started with the variables `process`."""
    try:
        file = (state_dir / ".env").read_text(encoding="utf-8", errors="replace")
    except OSError:
        file = ""
    env = section(config, "env")
    direct = {name: value for name, value in env.items() if name not in _NO_VARIABLES}
    configured = {
        name: value
        for name, value in {**section(config, "env", "vars"), **direct}.items()
        if isinstance(value, str) and value.strip() and not _REFERENCE.search(value)
    }
    return configured | _parse(file) | dict(process)


def substitute(text: str, variables: Mapping[str, str], *, where: str) -> str:
    """Return the text with its references replaced; `$${NAME}` stands for the text `${NAME}`.

    Raises:
        UnresolvedKeyError: a variable is not set, or empty.
    """

    def value(reference: re.Match[str]) -> str:
        escaped, name = reference.groups()
        if escaped:
            return f"${{{name}}}"
        found = variables.get(name)
        if not found:
            raise UnresolvedKeyError(
                f"{where} refers to the variable {name}, which OpenClaw does not have. Set it in its"
                " environment, in the `.env` of its state folder, or in `env.vars` of openclaw.json."
            )
        return found

    return _REFERENCE.sub(value, text)


def _parse(text: str) -> dict[str, str]:
    return {name: _value(raw.strip()) for name, raw in _LINE.findall(text)}


def _value(raw: str) -> str:
    if len(raw) > 1 and raw[0] == raw[-1] and raw[0] in _QUOTES:
        inner = raw[1:-1]
        return inner.replace("\\n", "\n").replace("\\r", "\r") if raw[0] == '"' else inner
    return raw
