"""Which plugin or channel is named by what OpenClaw said: pure."""

import re
from collections.abc import Iterable
from typing import Any

from buddy_common.config_diff import KeyPath, stands

# `plugins.entries.x: plugin not found`, `channels.x: unknown channel id`
_PATH = re.compile(r"\b(plugins\.entries|channels)\.([A-Za-z0-9@_/-]+)")
# the stack of an exception that a plugin has thrown, and what OpenClaw's loader says
_PLACE = re.compile(r"/extensions/((?:@[A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+)/")
_NAMED = re.compile(r"\bplugin[ :=]+[\"'`]?([A-Za-z0-9@_/-]+)")
_CHANNEL = re.compile(r"\bchannel(?: id)?[ :=]+[\"'`]?([A-Za-z0-9_-]+)")


# what its loader says of an entry that it does not take, and what it ends of; any other failure it lives with
_REFUSES = re.compile(
    r"failed to load|failed during register|plugin not found|unknown channel id"
    r"|\b(?:plugins\.entries|channels)\.[A-Za-z0-9@_/.-]+: .*(?:invalid|not found|unknown|unrecognized)",
    re.IGNORECASE,
)
_FATAL = re.compile(r"Uncaught exception|FATAL unhandled rejection|Unhandled promise rejection|^\w*Error\b")
_STACK = re.compile(r"^\s+at ")


def accusations(lines: Iterable[str]) -> list[str]:
    """Return the lines of OpenClaw's loader against an entry, and the stack of what has ended it.

    A healthy plugin is named by many others: by a delivery that failed, by an assistant's answer.
    """
    found, fatal = [], False
    for line in lines:
        if not _STACK.match(line):
            fatal = bool(_REFUSES.search(line) or _FATAL.search(line))
        if fatal:
            found.append(line)
    return found


def suspects(lines: Iterable[str], config: dict[str, Any]) -> list[KeyPath]:
    """Return the entries of the config that the lines name, in that order; what is not configured is none."""
    found: dict[KeyPath, None] = {}
    for line in lines:
        for path in _named_in(line):
            if stands(config, path):
                found[path] = None
    return list(found)


def _named_in(line: str) -> Iterable[KeyPath]:
    for section, name in _PATH.findall(line):
        yield ("plugins", "entries", name) if section == "plugins.entries" else ("channels", name)
    for pattern in (_PLACE, _NAMED):
        for name in pattern.findall(line):
            yield ("plugins", "entries", name)
    for name in _CHANNEL.findall(line):
        yield ("channels", name)
