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
from buddy_common.errors import CrossOriginError, NotAuthenticatedError

COOKIE = "guardian_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ADMIN = "admin"
ENDED_COOKIES = 1024  # that are remembered


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
        self._ended: OrderedDict[int, None] = OrderedDict()  # cookies that are wrong, by their hash

    def is_token(self, candidate: str) -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(candidate.encode(), self.key)

    async def authenticate(self, connection: HTTPConnection) -> Operator:
        """Return who is calling.

        Raises:
            NotAuthenticatedError: no credential, or none that is valid.
            TooManyAttemptsError: the same, and this address has been wrong too often.
            CrossOriginError: a cookie came with a change from another site, or a WebSocket did.
        """
        if connection.scope["type"] == "websocket" and "origin" in connection.headers:
            require_same_origin(connection)  # browsers let any page open one, and send our cookie along
        via = await self._credential(connection)
        if via is None:
            if self._is_guess(connection):
                await self._attempts.count(Kind.GUESS, client_address(connection))
            raise NotAuthenticatedError(
                "Not signed in, or the token is wrong. Send `Authorization: Bearer <token>`;"
                " `buddy token` shows it."
            )
        if via in (Via.COOKIE, Via.SESSION) and not _only_reads(connection):
            require_same_origin(connection)
        connection.scope.setdefault("state", {})["actor"] = ADMIN
        return Operator(name=ADMIN, via=via, address=client_address(connection))

    async def _credential(self, connection: HTTPConnection) -> Via | None:
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        if scheme:
            valid = scheme.lower() == "bearer" and self.is_token(bearer.strip())
            return Via.BEARER if valid else None
        cookie = connection.cookies.get(COOKIE)
        if cookie:
            if self.is_token(cookie):
                return Via.COOKIE
            known = await self._database.run(
                lambda session: grants.session_is_valid(session, cookie, key=self.key)
            )
            return Via.SESSION if known else None
        ticket = connection.query_params.get("ticket")
        if ticket and _only_reads(connection):
            used = await self._database.run(
                lambda session: grants.redeem_ticket(session, ticket, key=self.key)
            )
            return Via.TICKET if used else None
        return None

    def _is_guess(self, connection: HTTPConnection) -> bool:
        """Whether a credential that is wrong could be a try: not the cookie of a session that has ended.

        Browsers go on sending such a cookie, always the same.
        """
        if "authorization" in connection.headers:
            return True
        cookie = hash(connection.cookies.get(COOKIE, ""))
        if COOKIE not in connection.cookies or cookie in self._ended:
            return False
        self._ended[cookie] = None
        if len(self._ended) > ENDED_COOKIES:
            self._ended.popitem(last=False)
        return True


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
