"""A client's side of a request: sent with a deadline, its answer judged by its shape, all of it noted."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from buddy_common.errors import BuddyError
from chaos.facts import End, Facts, Request

# the answer waits 20 s for the outcome of a change; a frozen process adds its own time
DEADLINE_SECONDS = 60.0


class ImproperError(Exception):
    """The answer is none that the API's reference knows."""


@dataclass(frozen=True)
class Answer:
    """A proper answer, which may be an error."""

    status: int
    data: Any
    error: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return self.error is None


class Caller:
    """One client of the API and the proxy; it notes how each of its requests ended."""

    def __init__(self, kind: str, url: str, token: str, facts: Facts) -> None:
        self.kind = kind
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"}
        self.facts = facts
        # `noted` keeps the deadline, for the whole request; this one only ends what it would not
        self.http = httpx.AsyncClient(base_url=url, headers=self.headers, timeout=600, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.aclose()

    async def ask(self, method: str, path: str, *, what: str | None = None, **options: Any) -> Answer | None:
        """Return the answer; None where there was no proper one."""
        answer: Answer | None = None
        async with self.noted(f"{method} {what or path}") as note:
            response = await self.http.request(method, path, **options)
            answer = judge(response.status_code, _json_of(response))
            note.said = f"{answer.status} {answer.error}" if answer.error else str(answer.status)
        self._accept(answer)
        return answer

    def _accept(self, answer: Answer | None) -> None:
        """Remember the task that came with an answer."""
        if answer is not None and isinstance(answer.data, dict) and "taskID" in answer.data:
            self.facts.accepted.add(answer.data["taskID"])

    @asynccontextmanager
    async def noted(self, what: str, *, seconds: float = DEADLINE_SECONDS) -> AsyncIterator["Note"]:
        """Note how what happens in the block ends; what the request itself fails with is not raised."""
        note = Note(time.time())
        try:
            async with asyncio.timeout(seconds):
                yield note
        except TimeoutError:
            note.end, note.said = End.HUNG, "hung"
        except ImproperError as exc:
            note.end, note.said = End.IMPROPER, f"improper: {exc}"
        except (httpx.TransportError, OSError, EOFError) as exc:
            note.end, note.said = End.CUT, "cut"
            note.reason = repr(exc)
        finally:
            request = Request(self.kind, what, note.began, time.time(), note.end, note.said)
            self.facts.requests.append(request)


@dataclass
class Note:
    """How a request goes."""

    began: float
    end: End = End.ANSWERED
    said: str = ""
    reason: str = ""


def judge(status: int, body: Any) -> Answer:
    """Return what the envelope holds.

    Raises:
        ImproperError: it is none, or admits a bug of ours.
    """
    if not isinstance(body, dict) or body.get("code") != status or not isinstance(body.get("message"), str):
        raise ImproperError(f"{status} without the envelope: {str(body)[:200]}")
    data = body.get("data")
    if status < httpx.codes.BAD_REQUEST:
        return Answer(status, data)
    error = data.get("error") if isinstance(data, dict) else None
    return Answer(status, data, _known(status, error, body["message"]))


def judge_chat(status: int, body: Any) -> Answer:
    """Return what OpenAI's shape holds.

    Raises:
        ImproperError: as `judge`.
    """
    if not isinstance(body, dict):
        raise ImproperError(f"{status}: {str(body)[:200]}")
    if "error" not in body:
        if status != httpx.codes.OK:
            raise ImproperError(f"{status} without an error: {str(body)[:200]}")
        return Answer(status, body)
    error = body["error"]
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise ImproperError(f"{status}: {str(body)[:200]}")
    # what the gateway itself says of a chat has a type, and not always a code
    slug = error.get("code") or error.get("type")
    return Answer(status, body, _known(status, slug, error["message"]))


def _known(status: int, error: Any, message: str) -> str:
    if not isinstance(error, str) or error == BuddyError.error:  # a bug of ours
        raise ImproperError(f"{status} {error}: {message[:200]}")
    return error


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as exc:
        raise ImproperError(f"{response.status_code} without JSON: {response.text[:200]!r}") from exc
