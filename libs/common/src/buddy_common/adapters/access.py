"""Who is calling: bearer token, cookie, session or ticket; and whether a cookie came from our own page.

Needs the extra `buddy-common[web]`.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from buddy_common.adapters.attempts import Attempts, Kind
from buddy_common.db import grants
from buddy_common.db.engine import Database
from buddy_common.db.grants import GrantKind
from buddy_common.errors import CrossOriginError, NotAuthenticatedError

COOKIE = "guardian_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN = "admin"
REMEMBERED = 1024  # cookies and tickets of each sort


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
    """Checks credentials against the token and the stored grants, and how often somebody may be wrong."""

    def __init__(self, token: str, database: Database, attempts: Attempts) -> None:
        self.key = token.encode()  # sessions, tickets and digests of secrets end with it
        self._database = database
        self._attempts = attempts
        # cookies and tickets by their hash, with their kind
        self._ended: OrderedDict[int, None] = OrderedDict()  # wrong, and never right again
        self._right: OrderedDict[int, None] = OrderedDict()  # cookies that were right once

    def is_token(self, candidate: str) -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(candidate.encode(), self.key)

    async def authenticate(self, connection: HTTPConnection) -> Operator:
        """Return who is calling.

        Raises:
            NotAuthenticatedError: no credential, or none that is valid.
            TooManyAttemptsError: this address has been wrong too often, and this is no token that is right.
            CrossOriginError: a cookie came with a change from another site, or a WebSocket did.
        """
        if connection.scope["type"] == "websocket" and "origin" in connection.headers:
            require_same_origin(connection)  # browsers let any page open one, and send our cookie along
        via = await self._credential(connection)
        if via is None:
            raise NotAuthenticatedError(
                "Not signed in, or the token is wrong. Send `Authorization: Bearer <token>`;"
                " `buddy token` shows it."
            )
        if via in (Via.COOKIE, Via.SESSION) and not _only_reads(connection):
            require_same_origin(connection)
        connection.scope.setdefault("state", {})["actor"] = ADMIN
        return Operator(name=ADMIN, via=via, address=client_address(connection))

    async def _credential(self, connection: HTTPConnection) -> Via | None:
        """Return what proves the caller, None for nothing; what is wrong is counted.

        Raises:
            TooManyAttemptsError: it is wrong, or would have to be looked up, and this address has been
                wrong too often.
        """
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() == "bearer" and self.is_token(bearer.strip()):
                return Via.BEARER
            await self._attempts.count(Kind.GUESS, client_address(connection))
            return None
        cookie = connection.cookies.get(COOKIE)
        if cookie:
            return Via.COOKIE if self.is_token(cookie) else await self._session(connection, cookie)
        ticket = connection.query_params.get("ticket")
        if ticket and _only_reads(connection):
            return await self._ticket(connection, ticket)
        return None

    async def _session(self, connection: HTTPConnection, secret: str) -> Via | None:
        """Look a session up; one that was right is looked up whatever others do from the same address."""
        place = hash((GrantKind.SESSION, secret))
        if place in self._ended:
            return None
        was_right = place in self._right
        if not was_right:
            self._attempts.refuse_known(Kind.GUESS, client_address(connection))
        if grants.may_be_secret(secret) and await self._database.run(
            lambda session: grants.session_is_valid(session, secret, key=self.key)
        ):
            _remember(self._right, place)
            return Via.SESSION
        _remember(self._ended, place)
        if not was_right:
            await self._attempts.count(Kind.GUESS, client_address(connection))
        return None

    async def _ticket(self, connection: HTTPConnection, secret: str) -> Via | None:
        """Use a ticket up; once it is, or is wrong, it need not be looked up any more."""
        place = hash((GrantKind.TICKET, secret))
        if place in self._ended:
            return None
        self._attempts.refuse_known(Kind.GUESS, client_address(connection))
        used = grants.may_be_secret(secret) and await self._database.run(
            lambda session: grants.redeem_ticket(session, secret, key=self.key)
        )
        _remember(self._ended, place)
        if used:
            return Via.TICKET
        await self._attempts.count(Kind.GUESS, client_address(connection))
        return None


def _remember(places: OrderedDict[int, None], place: int) -> None:
    """Note one; browsers go on sending a cookie, or a page's address, that is wrong, always the same."""
    places[place] = None
    places.move_to_end(place)
    if len(places) > REMEMBERED:
        places.popitem(last=False)


def _only_reads(connection: HTTPConnection) -> bool:
    """Whether it is a safe method, or a WebSocket, which a browser can open only with a ticket."""
    return connection.scope["type"] == "websocket" or connection.scope["method"] in SAFE_METHODS


def client_address(connection: HTTPConnection) -> str:
    """Return the caller's address; what a trusted proxy forwards may be any text, so it is checked."""
    return _valid_address(connection.client.host if connection.client else "")


@lru_cache(maxsize=1024)
def _valid_address(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return "unknown"


def require_own_page(connection: HTTPConnection, operator: Operator) -> None:
    """Refuse a GET that starts something, where a cookie came with it from elsewhere than our own pages.

    Browsers send no `Origin` with a GET of the same origin, but say where it came from in other ways.

    Raises:
        CrossOriginError: nothing shows that one of our pages asked.
    """
    if operator.via not in (Via.COOKIE, Via.SESSION):
        return
    headers = connection.headers
    site, referer = headers.get("sec-fetch-site"), headers.get("referer")
    from_here = site == "same-origin" if site else urlsplit(referer or "").netloc == headers.get("host")
    if "origin" in headers or not from_here:
        require_same_origin(connection)


def require_same_origin(connection: HTTPConnection) -> None:
    """Refuse what a page of another site made the browser send.

    Raises:
        CrossOriginError: `Origin` is missing or names another host.
    """
    origin = connection.headers.get("origin", "")
    if not origin or urlsplit(origin).netloc != connection.headers.get("host"):
        raise CrossOriginError(
            "A change that is authorised by a cookie, and a WebSocket of a browser, must come from Buddy's"
            " own pages (a same-origin Origin header). Programs send `Authorization: Bearer <token>`."
        )
