"""Is Buddy itself alive, and is everything it needs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from buddy_api.deps import Wired, Wiring
from buddy_api.envelope import Envelope
from buddy_common.db import nodes
from buddy_common.errors import BuddyError
from buddy_common.schemas.job import Lane

router = APIRouter(tags=["health"])

CHECK_SECONDS = 3.0
_NOT_READY: dict[str, Any] = {
    "status": "unavailable",
    "checks": {"broker": {"ok": False, "latency_ms": 0.6, "detail": "The broker (Redis) did not answer."}},
    "error": "not_ready",
}


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: str = "ok"


class Check(BaseModel):
    """One thing that Buddy needs."""

    ok: bool
    latency_ms: float
    detail: str | None = None


class Readiness(BaseModel):
    """Everything that Buddy needs; `checks` only for callers with a token."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ok",
                "checks": {
                    "broker": {"ok": True, "latency_ms": 0.6, "detail": None},
                    "database": {"ok": True, "latency_ms": 0.9, "detail": None},
                    "workers": {"ok": True, "latency_ms": 1.1, "detail": "local: fast 1, slow 1"},
                },
            }
        }
    )

    status: str
    checks: dict[str, Check] | None = None


class NotReady(Readiness):
    """What is missing, with a slug as every failure has one."""

    model_config = ConfigDict(json_schema_extra={"example": _NOT_READY})

    error: Literal["not_ready"] = "not_ready"


@router.get("/health")
async def health() -> Envelope[Alive]:
    """Answer as long as the process does."""
    return Envelope(data=Alive())


@router.get(
    "/ready",
    response_model=Envelope[Readiness],
    responses={503: {"model": Envelope[NotReady], "description": "Something is missing"}},
)
async def ready(request: Request, w: Wired) -> Response | Envelope[Readiness]:
    """Check broker, database and workers; 503 if one of them fails."""
    names = {"broker": _broker, "database": _database, "workers": _workers}
    results = await asyncio.gather(*(_timed(check, w) for check in names.values()))
    checks = dict(zip(names, results, strict=True))
    shown = checks if await _has_token(request, w) else None
    if all(check.ok for check in results):
        return Envelope(data=Readiness(status="ok", checks=shown))
    status = HTTPStatus.SERVICE_UNAVAILABLE
    missing = NotReady(status="unavailable", checks=shown)
    body = Envelope(code=status, message="Not ready", data=missing).model_dump(mode="json")
    return JSONResponse(body, status_code=status)


async def _has_token(request: Request, w: Wiring) -> bool:
    try:
        await w.authenticator.authenticate(request)
    except BuddyError:
        return False
    return True


async def _timed(check: Callable[[Wiring], Awaitable[str | None]], w: Wiring) -> Check:
    began = time.perf_counter()
    good, detail = True, None
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            detail = await check(w)
    except BuddyError as exc:
        good, detail = False, exc.message
    except TimeoutError:
        good, detail = False, f"No answer within {CHECK_SECONDS:.0f} s."
    return Check(ok=good, latency_ms=round((time.perf_counter() - began) * 1000, 1), detail=detail)


async def _broker(w: Wiring) -> None:
    await w.presence.ping()


async def _database(w: Wiring) -> None:
    await w.database.run(nodes.names)


async def _workers(w: Wiring) -> str:
    """Every node that is there needs both lanes."""
    lanes: dict[str, dict[Lane, int]] = {}
    for worker in await w.presence.listing():
        counts = lanes.setdefault(worker.node, dict.fromkeys(Lane, 0))
        counts[worker.lane] += 1
    if not lanes:
        raise BuddyError("No worker is alive.")
    text = "; ".join(
        f"{node}: " + ", ".join(f"{lane} {count}" for lane, count in counts.items())
        for node, counts in sorted(lanes.items())
    )
    if any(count == 0 for counts in lanes.values() for count in counts.values()):
        raise BuddyError(f"A lane has no worker ({text}).")
    return text
