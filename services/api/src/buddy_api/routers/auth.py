"""Signing in and out, tickets, and the check for the reverse proxy."""

from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from buddy_api.deps import Caller, Wired, Wiring
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.adapters.access import ADMIN, COOKIE, SAFE_METHODS, Via, client_address
from buddy_common.adapters.attempts import Kind
from buddy_common.db import events, grants
from buddy_common.db.grants import GrantKind
from buddy_common.errors import (
    CrossOriginError,
    DatabaseUnavailableError,
    InvalidRequestError,
    NotAuthenticatedError,
    TooManyAttemptsError,
)
from buddy_common.schemas.events import EventStatus

router = APIRouter(tags=["auth"])


class Login(BaseModel):
    """The token that `buddy token` shows."""

    model_config = ConfigDict(json_schema_extra={"example": {"token": "openclaw-buddy-2026"}})

    token: str = Field(max_length=1024)


class Me(BaseModel):
    """Who the caller is."""

    model_config = ConfigDict(json_schema_extra={"example": {"user": "admin", "via": "bearer"}})

    user: str
    via: Via


class Ticket(BaseModel):
    """For one request of a browser that cannot set a header: `?ticket=…`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"ticket": "wVb1cWQ2nqo8v1mB4mJ6bJ2P7t3sYw0kq5Z9u8xRrXc", "expires_in": 60}
        }
    )

    ticket: str
    expires_in: int = Field(description="Seconds")


@router.post(
    "/login",
    responses=problems(
        NotAuthenticatedError, InvalidRequestError, TooManyAttemptsError, DatabaseUnavailableError
    ),
)
async def login(body: Login, request: Request, response: Response, w: Wired) -> Envelope[None]:
    """Exchange the token for a session cookie."""
    address = client_address(request)
    try:
        await w.attempts.count(Kind.LOGIN, address)
    except TooManyAttemptsError as exc:
        if exc.is_first:  # else whoever tries fills the database
            await _record_refusal(w, address, detail="too many attempts")
        raise
    if not w.authenticator.is_token(body.token):
        await _record_refusal(w, address, detail="invalid token")
        raise NotAuthenticatedError("Invalid token")
    lifetime = timedelta(days=w.config.auth.session_days)

    def record(session: Session) -> str:
        events.add(session, actor=ADMIN, action="login", status=EventStatus.SUCCESS, address=address)
        return grants.issue(
            session, GrantKind.SESSION, key=w.authenticator.key, lifetime=lifetime, address=address
        )

    secret = await w.database.run(record)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Envelope()


async def _record_refusal(w: Wiring, address: str, *, detail: str) -> None:
    await w.database.run(
        lambda session: events.add(
            session,
            actor="unknown",
            action="login",
            status=EventStatus.DENIED,
            address=address,
            detail=detail,
        )
    )


@router.post(
    "/v1/auth/logout", responses=problems(NotAuthenticatedError, CrossOriginError, DatabaseUnavailableError)
)
async def logout(request: Request, response: Response, _caller: Caller, w: Wired) -> Envelope[None]:
    """End this session; the token itself stays valid."""
    secret = request.cookies.get(COOKIE)
    if secret:
        await w.database.run(lambda session: grants.end_session(session, secret, key=w.authenticator.key))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return Envelope()


@router.get("/v1/auth/me", responses=problems(NotAuthenticatedError, DatabaseUnavailableError))
async def me(caller: Caller) -> Envelope[Me]:
    """Say who the caller is."""
    return ok(Me(user=caller.name, via=caller.via))


@router.post(
    "/v1/auth/ticket", responses=problems(NotAuthenticatedError, CrossOriginError, DatabaseUnavailableError)
)
async def ticket(caller: Caller, w: Wired) -> Envelope[Ticket]:
    """Issue a ticket: one use, one minute."""
    seconds = w.config.auth.ticket_seconds
    secret = await w.database.run(
        lambda session: grants.issue(
            session,
            GrantKind.TICKET,
            key=w.authenticator.key,
            lifetime=timedelta(seconds=seconds),
            address=caller.address,
        )
    )
    return ok(Ticket(ticket=secret, expires_in=seconds))


@router.get(
    "/v1/auth/check",
    status_code=HTTPStatus.OK,
    responses=problems(NotAuthenticatedError, CrossOriginError, DatabaseUnavailableError),
)
async def check(request: Request, caller: Caller) -> Envelope[None]:
    """Answer 200 to a valid credential and 401 to any other, for a reverse proxy to ask.

    What a cookie alone would change behind the reverse proxy must come from a page of the same host.
    """
    method = request.headers.get("x-forwarded-method", "GET")
    if caller.via in {Via.COOKIE, Via.SESSION} and method not in SAFE_METHODS:
        origin = urlsplit(request.headers.get("origin", "")).netloc
        if not origin or origin != request.headers.get("x-forwarded-host"):
            raise CrossOriginError(
                "A change that only a cookie vouches for must come from a page of this host."
            )
    return Envelope()
