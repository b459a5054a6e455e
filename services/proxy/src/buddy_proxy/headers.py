"""Which headers cross the proxy, either way. Hop-by-hop: RFC 9110 section 7.6.1."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from buddy_common.adapters.access import COOKIE

RawHeaders = Iterable[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
        b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
# who the client is and where it came from: the gateway takes whoever says so for a stranger
_ORIGIN_OF_REQUEST = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip"})
_ORIGIN_PREFIXES = (b"x-forwarded-", b"tailscale-", b"cf-")
# the client's own, which Buddy replaces or must not hand on
_REPLACED = frozenset({b"host", b"authorization", b"cookie", b"content-length", b"expect"})
# uvicorn writes its own date, and says nothing of servers
_OF_THE_SERVER = frozenset({b"date", b"server"})


def _named_by_connection(headers: list[tuple[bytes, bytes]]) -> set[bytes]:
    """Return what `Connection` lists: those headers end here as well."""
    return {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.split(b",")
    }


def to_gateway(headers: RawHeaders, *, authority: str, token: str | None) -> list[tuple[str, str]]:
    """Return the end-to-end headers of a request, without our credentials and with the gateway's."""
    given = list(headers)
    dropped = _HOP_BY_HOP | _ORIGIN_OF_REQUEST | _REPLACED | _named_by_connection(given)
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in given
        if name not in dropped and not name.startswith(_ORIGIN_PREFIXES)
    ]
    kept.append(("Host", authority))
    if token is not None:
        kept.append(("Authorization", f"Bearer {token}"))
    return kept


def from_gateway(
    headers: RawHeaders, *, without: frozenset[bytes] = frozenset()
) -> list[tuple[bytes, bytes]]:
    """Return the end-to-end headers of an answer, names in lower case."""
    given = list(headers)
    dropped = _HOP_BY_HOP | _OF_THE_SERVER | without | _named_by_connection(given)
    return [(key, value) for name, value in given if (key := name.lower()) not in dropped]


def cookies_for_gateway(headers: RawHeaders) -> str:
    """Return the cookies of a request but for ours, an empty text where there is none."""
    parts = [
        part.strip()
        for name, value in headers
        if name == b"cookie"
        for part in value.decode("latin-1").split(";")
    ]
    return "; ".join(part for part in parts if part and part.partition("=")[0].strip() != COOKIE)


def cookie_inside(cookie: str, prefix: str) -> str | None:
    """Return a cookie of the gateway kept below `prefix`; None for one that could pass for ours."""
    try:
        parsed = SimpleCookie(cookie)
    except CookieError:
        return None
    for name, morsel in parsed.items():
        if name.lower() == COOKIE:
            return None
        path = morsel["path"] or "/"
        morsel["path"] = prefix + path if path.startswith("/") else f"{prefix}/"
        morsel["domain"] = ""
        return morsel.OutputString()
    return None
