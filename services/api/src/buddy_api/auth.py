"""Who is calling: bearer token, cookie, session or ticket; and whether a cookie came from our own page."""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from buddy_common.db import grants
from buddy_common.db.engine import Database
from buddy_common.errors import CrossOriginError, NotAuthenticatedError

COOKIE = "guardian_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN = "admin"


class Via(StrEnum):
    """How a caller proved who they are."""

    BEARER = "bearer"
    COOKIE = "cookie"  # the token itself in the cookie, as the guide allows
    SESSION = "session"
    TICKET = "ticket"


@dataclass(frozen=True)
class Operator:
    """An authenticated caller."""

    name: str
    via: Via
    address: str | None


class Authenticator:
    """Checks credentials against the token and the stored grants."""

    def __init__(self, token: str, database: Database) -> None:
        self._token = token.encode()
        self._database = database

    def is_token(self, candidate: str) -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(candidate.encode(), self._token)

    async def authenticate(self, connection: HTTPConnection) -> Operator:
        """Return who is calling.

        Raises:
            NotAuthenticatedError: no credential, or none that is valid.
            CrossOriginError: a cookie came with a change from another site.
        """
        via = await self._credential(connection)
        if via is None:
            raise NotAuthenticatedError(
                "Not signed in, or the token is wrong. Send `Authorization: Bearer <token>`;"
                " `buddy token` shows it."
            )
        if via in (Via.COOKIE, Via.SESSION) and connection.scope.get("method") not in SAFE_METHODS:
            require_same_origin(connection)
        address = connection.client.host if connection.client else None
        connection.scope.setdefault("state", {})["actor"] = ADMIN
        return Operator(name=ADMIN, via=via, address=address)

    async def _credential(self, connection: HTTPConnection) -> Via | None:
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme:
            valid = scheme.lower() == "bearer" and self.is_token(bearer.strip())
            return Via.BEARER if valid else None
        cookie = connection.cookies.get(COOKIE)
        if cookie:
            if self.is_token(cookie):
                return Via.COOKIE
            known = await self._database.run(lambda session: grants.session_is_valid(session, cookie))
            return Via.SESSION if known else None
        ticket = connection.query_params.get("ticket")
        if ticket and connection.scope.get("method") in SAFE_METHODS:
            used = await self._database.run(lambda session: grants.redeem_ticket(session, ticket))
            return Via.TICKET if used else None
        return None


def require_same_origin(connection: HTTPConnection) -> None:
    """Refuse what a page of another site made the browser send.

    Raises:
        CrossOriginError: `Origin` is missing or names another host.
    """
    origin = connection.headers.get("origin", "")
    if not origin or urlsplit(origin).netloc != connection.headers.get("host"):
        raise CrossOriginError(
            "A change that is authorised by a cookie must come from Buddy's own pages"
            " (a same-origin Origin header). Programs send `Authorization: Bearer <token>`."
        )
