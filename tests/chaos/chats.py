"""The clients that chat through the proxy: in one piece, and streamed."""

import json
from typing import Any

import httpx

from chaos.caller import Answer, Caller, ImproperError, Note, judge_chat
from fakes.model_provider import ANSWER

PATH = "/v1/openclaw/chat/completions"
# a first chat, or one beside a start, keeps the gateway busy for a while
CHAT_SECONDS = 150.0


class Chatter:
    """Asks the one question that the model knows the answer to."""

    pause_seconds = 3.0

    def __init__(self, caller: Caller, *, streamed: bool) -> None:
        self.caller = caller
        self._streamed = streamed
        self._question = {
            "model": "openclaw",
            "user": caller.kind,
            "messages": [{"role": "user", "content": "What is the answer?"}],
            "stream": streamed,
        }

    async def once(self) -> str | None:
        """Ask, and take the answer to its end."""
        text = ""
        async with self.caller.noted(f"POST {PATH}", seconds=CHAT_SECONDS) as note:
            text = await (self._stream(note) if self._streamed else self._whole(note))
        return None if text == ANSWER else f"{note.said}: {text[:100]!r}"

    async def _whole(self, note: Note) -> str:
        response = await self.caller.http.post(PATH, json=self._question)
        answer = judge_chat(response.status_code, _parsed(response.text))
        _tell(note, answer)
        return "" if answer.error else _told(answer.data["choices"][0]["message"]["content"])

    async def _stream(self, note: Note) -> str:
        async with self.caller.http.stream("POST", PATH, json=self._question) as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
                _tell(note, judge_chat(response.status_code, _parsed(response.text)))
                return ""
            return await _read_events(response, note)


async def _read_events(response: httpx.Response, note: Note) -> str:
    """Return the text of a stream that ends as it should: with `[DONE]`, or with an error that says so."""
    text, is_done = "", False
    note.said = "200"
    async for line in response.aiter_lines():
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            is_done = True
        elif line.startswith("data: "):
            event = _parsed(data)
            if "error" in event:
                _tell(note, judge_chat(200, event))
                return text
            for choice in event.get("choices", []):
                text += choice["delta"].get("content") or ""
    if not is_done:
        raise ImproperError("a stream that ended without an end")
    return _told(text)


def _told(text: str) -> str:
    """Return the answer; the gateway puts what went wrong with the model into the text."""
    if text and not ANSWER.startswith(text) and ANSWER not in text:
        return f"instead: {text}"
    return text


def _tell(note: Note, answer: Answer) -> None:
    note.said = f"{answer.status} {answer.error}" if answer.error else str(answer.status)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise ImproperError(f"no JSON: {text[:200]!r}") from exc
