"""What an event of a transcript says: whether a person asked something, and when.

The machine's own turns have the role `user` as well. 2026.9 writes down where a turn came from; before, only
turns of other sessions said so, and heartbeats, reminders and jobs are known by the words they begin with.
"""

import json
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

import zstandard

Event = dict[str, Any]

# `message.provenance.kind` of turns that nobody asked; `external_user`, none and any other are people's
_NOT_PEOPLE = frozenset({"inter_session", "internal_system"})
# what stands before a turn: lines about what happened meanwhile, and the time of a call of the gateway
_BEFORE = re.compile(
    r"(?:System: [^\n]*\n)*\s*(?:\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}(?: [^\]\n]*)?\] )?"
)
# 2026.9: the first line, whatever follows
_MARKERS = frozenset(
    f"[OpenClaw {wake}]" for wake in ("heartbeat poll", "exec completion", "cron wake", "session event")
)
# either generation: long enough that nobody begins a question with them by chance
_BEGINNINGS = (
    "[Subagent Context] You are running as a subagent (depth ",
    "An async command the user already approved has completed.\nDo not run the command again.\n",
    "Pre-compaction memory flush. Store durable memories ",
    "You are running a boot check. Follow BOOT.md instructions exactly.\n",
)
# 2026.3: these end with the time, see `_CLOCK`
_TIMED_BEGINNINGS = (
    "Read HEARTBEAT.md if it exists (workspace context). Follow it strictly. Do not infer or repeat old",
    "An async command you ran earlier has completed. The result is shown in the system messages above.",
    "A scheduled reminder has been triggered. The reminder content is:\n",
    "A scheduled cron event was triggered, but no event content was found.",
    "[cron:",
)
_CLOCK = "\nCurrent time: "
_AFTER_PROMPT = (_CLOCK, "\nWhen reading HEARTBEAT.md, use workspace file ")


def parse(text: str | bytes) -> Event:
    """Return an event, empty where the text holds none."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def unpacked(packed: bytes) -> bytes:
    """Return the text of a packed event, empty where it cannot be unpacked."""
    try:
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=4 * 1024 * 1024)
    except zstandard.ZstdError:
        return b""


def is_question(event: Event, heartbeat_prompts: Collection[str] = ()) -> bool:
    """Whether a person asked the agent; answers, results of tools and the machine's own turns do not count.

    `heartbeat_prompts` are those that the config has instead of OpenClaw's own.
    """
    message = event.get("message")
    if event.get("type") != "message" or not isinstance(message, dict) or message.get("role") != "user":
        return False
    provenance = message.get("provenance")
    if isinstance(provenance, dict) and provenance.get("kind") in _NOT_PEOPLE:
        return False
    text = _text_of(message.get("content"))
    return not _is_wake(text[_length_before(text) :], heartbeat_prompts)


def time_of(event: Event) -> int:
    """Return the event's time, Unix ms; 0 where it has none."""
    try:
        return int(datetime.fromisoformat(str(event.get("timestamp"))).timestamp() * 1000)
    except ValueError:
        return 0


def _text_of(content: Any) -> str:
    """Return the first text of a message."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return next((text for text in texts if isinstance(text, str)), "")


def _length_before(text: str) -> int:
    found = _BEFORE.match(text)
    return found.end() if found else 0


def _is_wake(text: str, heartbeat_prompts: Collection[str]) -> bool:
    if text.partition("\n")[0].rstrip() in _MARKERS or text.startswith(_BEGINNINGS):
        return True
    if text.startswith(_TIMED_BEGINNINGS) and _CLOCK in text:
        return True
    return any(
        text.startswith(prompt) and _ends_like_a_heartbeat(prompt, text[len(prompt) :])
        for prompt in heartbeat_prompts
    )


def _ends_like_a_heartbeat(prompt: str, rest: str) -> bool:
    """Whether what follows the prompt is what OpenClaw adds: a question may begin with the same words."""
    return rest.startswith(_AFTER_PROMPT) or ("Current time:" in prompt and not rest)
