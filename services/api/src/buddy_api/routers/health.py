"""Is Buddy itself alive, and is everything it needs."""

from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from buddy_api.deps import Wired, Wiring
from buddy_api.envelope import Envelope
from buddy_api.readiness import Check
from buddy_common.errors import BuddyError

router = APIRouter(tags=["health"])

_NOT_READY: dict[str, Any] = {
    "status": "unavailable",
    "checks": {"broker": {"ok": False, "latency_ms": 0.6, "detail": "The broker (Redis) did not answer."}},
    "error": "not_ready",
}


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: str = "ok"


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
    """Check broker, database and workers; 503 if one of them fails.

    Without a token, what was found within the last second counts.
    """
    knows = await _has_token(request, w)
    checks = await (w.readiness.look() if knows else w.readiness.shared_look())
    shown = checks if knows else None
    if all(check.ok for check in checks.values()):
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
