"""What of a chat's body concerns the proxy: whom it is for, and whether the answer is a stream."""

import json
from dataclasses import dataclass
from typing import Any

from buddy_common.errors import NoSuchAgentError

PLAIN = "openclaw"
_PREFIX = f"{PLAIN}/"


@dataclass(frozen=True)
class ChatBody:
    """The body for the gateway."""

    content: bytes
    streamed: bool


def prepare(content: bytes, *, default_bot: str, bots: frozenset[str], names_agent: bool) -> ChatBody:
    """Return the body with a model that the gateway knows; all else stays as it is.

    A model that is absent or none of OpenClaw's means the default bot, unless a header names one
    (`names_agent`). What is no JSON object goes on untouched: the gateway says what is wrong with it.

    Raises:
        NoSuchAgentError: the model names a bot that is not there.
    """
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return ChatBody(content, streamed=False)
    if not isinstance(body, dict):
        return ChatBody(content, streamed=False)
    streamed = body.get("stream") is True
    model = body.get("model")
    if isinstance(model, str) and model.startswith(_PREFIX):
        bot = model.removeprefix(_PREFIX)
        if bot.lower() not in bots and bot != "default":
            raise NoSuchAgentError(bot[:100])
        return ChatBody(content, streamed=streamed)
    wanted = PLAIN if names_agent else f"{_PREFIX}{default_bot}"
    if model == wanted:
        return ChatBody(content, streamed=streamed)
    body["model"] = wanted
    return ChatBody(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), streamed=streamed)
