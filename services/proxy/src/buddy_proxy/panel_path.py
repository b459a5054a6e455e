"""The gateway's path of a request for the panel, and whether it is one."""

import re

from buddy_common.errors import InvalidRequestError

PREFIX = "/v1/proxy"
_RAW_PREFIX = PREFIX.encode()
# what servers behind could read as a way up, or as another path than we do
_TRICKY = re.compile(rb"(?i)%2f|%5c|%00|%0a|%0d|\\|[\x00-\x20\x7f]")
_UP = re.compile(rb"(?i)(^|/)(\.|%2e){1,2}(/|$)")
_TICKET = re.compile(rb"(^|&)ticket=[^&]*")


def gateway_path(raw_path: bytes, query: bytes) -> str:
    """Return path and query at the gateway, our ticket taken out.

    Raises:
        InvalidRequestError: it is not plain: dots that climb, encoded slashes, control characters.
    """
    path = raw_path.removeprefix(_RAW_PREFIX)
    if not raw_path.startswith(_RAW_PREFIX) or (path and not path.startswith(b"/")):
        raise InvalidRequestError(f"The path does not begin with {PREFIX}/ as it is written.")
    if _TRICKY.search(path) or _UP.search(path) or path.startswith(b"//"):
        raise InvalidRequestError("The path climbs, or holds encoded slashes or control characters.")
    query = _TICKET.sub(b"", query).lstrip(b"&")
    return (path or b"/").decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
