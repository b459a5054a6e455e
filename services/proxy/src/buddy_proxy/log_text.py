"""A line of a log as it is shown: without secrets, and without what would steer a terminal."""

import json
import re
from collections.abc import Iterable, Sequence

from buddy_common.adapters.terminal_text import plain_text
from buddy_common.log import mask

# in JSON, and in JSON within JSON, as OpenClaw writes it
_FIELD = re.compile(
    r"""(?i)(\\{0,3}"[\w-]{0,40}(?:token|password|passwd|secret|api[_-]?key|authorization|cookie)\\{0,3}"\s?:\s?"""
    r"""\\{0,3}")[^"\\]{1,4096}"""
)
_KEY = re.compile(r"\b(sk-[A-Za-z0-9_-]{4})[A-Za-z0-9_-]{12,512}")
_TIME = re.compile(r"""^(\d{4}-\d\d-\d\dT[\d:.]+)|"(?:time|timestamp)":\s?"(\d{4}-\d\d-\d\dT[\d:.]+)""")
_SHORTEST_SECRET = 8


def shown(line: bytes, *, secrets: Sequence[str]) -> str:
    """Return the line as a reader may see it."""
    text = plain_text(line.decode(errors="replace"))
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _KEY.sub(r"\1***", _FIELD.sub(r"\1***", mask(text)))


def in_order(logs: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of several logs by their times; one without a time stays behind the one before it."""
    timed: list[tuple[str, int, str]] = []
    for place, log in enumerate(logs):
        time = ""
        for line in log:
            time = max(time, _time(line))  # a log's own order always stays
            timed.append((time, place, line))
    return [line for _, _, line in sorted(timed, key=lambda row: row[:2])]


def _time(line: str) -> str:
    found = _TIME.search(line[-300:]) or _TIME.search(line[:300])
    return (found[1] or found[2]).ljust(26, "0") if found else ""


def lost_frame(lines: int) -> str:
    """Return what a reader gets in place of the lines for which there was no room."""
    return json.dumps({"type": "LOG_LOST", "lines": lines})


def history_frame(lines: Sequence[str]) -> str:
    """Return the first frame of a stream."""
    return json.dumps({"type": "LOG_HISTORY", "lines": lines}, ensure_ascii=False)
