"""Asking a provider of models once: how soon it answers, and what it says when it does not want to."""

import asyncio
import json
import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from buddy_common.adapters.model_call import ModelCall
from buddy_common.log import mask

DIAL_SECONDS = 30.0
MAX_BYTES = 64 * 1024
_REASON_CHARACTERS = 300
_SECRET_FROM = 4  # characters; a shorter one is a placeholder, and would take half of the text with it


@dataclass(frozen=True)
class ModelAnswer:
    """What came of it; without a `reason` the model answers."""

    latency_ms: int  # to the first byte, or to the end of our patience
    http_status: int | None = None
    reason: str | None = None


@dataclass
class _Heard:
    """What has come so far."""

    status: int | None = None
    content_type: str = ""
    first_ms: int | None = None
    body: bytes = b""


async def dial(call: ModelCall, *, seconds: float = DIAL_SECONDS) -> ModelAnswer:
    """Send the request and return at the first word; no redirect is followed, whatever fails is told."""
    context = await asyncio.to_thread(_certificates)
    began, heard = time.monotonic(), _Heard()
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(verify=context, timeout=seconds, follow_redirects=False) as client,
        ):
            await _listen(client, call, heard, began)
        reason = _complaint(heard)
    except (TimeoutError, httpx.TimeoutException):
        reason = f"no answer within {seconds:.0f} s"
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):  # its text may hold a header
        reason = "the address or a header of the provider is malformed"
    except httpx.HTTPError as exc:
        reason = f"{type(exc).__name__}: {exc}"
    latency_ms = heard.first_ms if heard.first_ms is not None else _since(began)
    return ModelAnswer(latency_ms, heard.status, None if reason is None else _clean(reason, call.secrets))


async def _listen(client: httpx.AsyncClient, call: ModelCall, heard: _Heard, began: float) -> None:
    headers = call.headers | {"accept-encoding": "identity"}  # what is not unpacked cannot blow up
    async with client.stream("POST", call.url, headers=headers, json=call.body) as answer:
        heard.status = answer.status_code
        heard.content_type = answer.headers.get("content-type", "")
        async for chunk in answer.aiter_raw():
            if heard.first_ms is None:
                heard.first_ms = _since(began)
            heard.body += chunk[: MAX_BYTES - len(heard.body)]
            one_word = answer.is_success and _has_event(heard.body)
            if one_word or len(heard.body) >= MAX_BYTES:
                return


def _has_event(body: bytes) -> bool:
    return b"\n\n" in body or b"\r\n\r\n" in body


def _complaint(heard: _Heard) -> str | None:
    """Return why this is no answer of a model, None when it is one."""
    status = heard.status or 0
    said = _error_of(heard.body)
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        head = f"HTTP {status} {_phrase(status)}".rstrip()
        return f"{head}: {said}" if said else head
    if said:
        return said
    if "text/html" in heard.content_type:
        return "a web page answered: is `baseUrl` right?"
    return None if heard.body.strip() else "the answer is empty"


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""


def _error_of(body: bytes) -> str | None:
    """Return the error in a JSON answer, or in the first event of a stream."""
    for line in (body, *body.splitlines()):
        with suppress(ValueError, RecursionError):
            return _error_text(json.loads(line.removeprefix(b"data:")))
    return None


def _error_text(value: Any) -> str | None:
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type") or "it gave no reason"
    return str(error) if error else None


def _clean(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        if len(secret) >= _SECRET_FROM:
            text = text.replace(secret, "…")
    text = "".join(character if character.isprintable() else " " for character in mask(text))
    return " ".join(text.split())[:_REASON_CHARACTERS]


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _certificates() -> ssl.SSLContext:
    """Return whom to trust: as httpx does, and whom Node.js trusts besides."""
    context = httpx.create_ssl_context()
    extra = os.environ.get("NODE_EXTRA_CA_CERTS")
    if extra:
        with suppress(OSError):  # ssl.SSLError is one, too; Node.js goes on without it as well
            context.load_verify_locations(extra)
    return context
