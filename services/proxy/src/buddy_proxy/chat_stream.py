"""Server-sent events of a chat on their way to the client: a bad end becomes an error that clients see.

The gateway ends a stream with `data: [DONE]`. The older OpenClaw sends nothing but that when the provider
fails, and no generation says anything when it is killed.
"""

import json
from typing import Any

from buddy_common.errors import BuddyError, GatewayAnswerError, StreamBrokenError
from buddy_common.openai_error import openai_error

DONE = b"data: [DONE]\n\n"
_DATA = b"data:"
# a line that has not ended; one that is longer goes on in pieces, unread
MAX_LINE_BYTES = 1024 * 1024


def error_event(exc: BuddyError) -> bytes:
    """Return a failure as an event."""
    return b"data: " + json.dumps(openai_error(exc), ensure_ascii=False).encode() + b"\n\n"


class ChatStream:
    """Follows one stream; `feed` and `end` return what the client is to get."""

    def __init__(self) -> None:
        self._rest = b""  # a line that has begun
        self._has_content = False
        self._has_error = False
        self._is_done = False
        self._in_long_line = False
        self.between_events = True  # whether a comment may stand here

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes in and return those that can go on now: whole lines."""
        if self._is_plain(chunk):
            return chunk
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        out = b"".join(self._line(line) for line in lines)
        if len(self._rest) > MAX_LINE_BYTES:
            out, self._rest, self._in_long_line = out + self._rest, b"", True
            self._has_content = True
        if out:
            self.between_events = out.endswith(b"\n\n")
        return out

    def _is_plain(self, chunk: bytes) -> bool:
        """Whether these are whole events of which nothing has to be known."""
        return (
            self._has_content
            and self.between_events
            and not self._rest
            and not self._is_done
            and chunk.endswith(b"\n\n")
            and b"[DONE]" not in chunk
            and b'"error"' not in chunk
        )

    def _line(self, line: bytes) -> bytes:
        if self._in_long_line:
            self._in_long_line = False
            return line + b"\n"
        if self._is_done:
            return b""  # nothing may come after it
        text = line.rstrip(b"\r")
        if not text.startswith(_DATA):
            return line + b"\n"
        payload = text[len(_DATA) :].strip()
        if payload == b"[DONE]":
            return self._finish()
        return self._event(payload, line)

    def _event(self, payload: bytes, line: bytes) -> bytes:
        if self._has_content and b'"error"' not in payload:
            return line + b"\n"
        try:
            event: Any = json.loads(payload)
        except (ValueError, RecursionError):
            self._has_content = True  # none of the gateway's, so not ours to judge
            return line + b"\n"
        if isinstance(event, dict) and event.get("error"):
            self._has_error = True
            return _as_openai(event["error"], line)
        self._has_content = self._has_content or _says_something(event)
        return line + b"\n"

    def _finish(self) -> bytes:
        self._is_done = True
        if self._has_content or self._has_error:
            return DONE
        empty = GatewayAnswerError(
            "The model gave no answer: its provider failed, or refused the key."
            " `POST /v1/openclaw/models/test-direct` shows what it says."
        )
        return error_event(empty) + DONE

    def end(self) -> bytes:
        """Return what is missing when the gateway has ended the stream."""
        if self._is_done:
            return b""
        if self._has_error:
            return self._close_line() + DONE
        broken = StreamBrokenError("The gateway broke the answer off. It may be restarting; try again.")
        return self.fail(broken)

    def fail(self, exc: BuddyError) -> bytes:
        """Return the end of a stream that cannot go on."""
        if self._is_done:
            return b""
        self._is_done = True
        return self._close_line() + error_event(exc) + DONE

    def _close_line(self) -> bytes:
        """Return what ends a half event, so that the next is read as one; the half line is thrown away."""
        self._rest = b""
        if self._in_long_line:
            return b"\n\n"
        return b"" if self.between_events else b"\n"


def _as_openai(error: Any, line: bytes) -> bytes:
    """Return an error in the shape that clients read: an object with a message."""
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return line + b"\n"
    text = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    body = openai_error(GatewayAnswerError(text[:2000]))
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n"


def _says_something(event: Any) -> bool:
    """Whether there is more in an event than that the assistant is about to speak."""
    if not isinstance(event, dict):
        return True
    choices = event.get("choices")
    if not isinstance(choices, list):
        return True
    for choice in choices:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(delta, dict) or choice.get("finish_reason"):
            return True
        if any(value for name, value in delta.items() if name != "role"):
            return True
    return False
