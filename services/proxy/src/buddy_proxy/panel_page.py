"""What must change in the gateway's panel for it to work below a prefix and inside a frame; nothing else.

Source: OpenClaw's Control UI. The newer generation asks its page where it lives; the older one looks at the
address bar, and its pages are left as they are.
"""

import re

# hop by hop, the panel keeps all of its security headers; it may only be framed by our own pages
_FRAME_ANCESTORS = re.compile(rb"(^|;)(\s*)frame-ancestors\s+[^;]*")
_BASE_PATH = re.compile(rb"""(data-openclaw-control-ui-base-path=")(|/(?!/)[^"<>]*)\"""")
_SCRIPT = re.compile(rb"(<script\b[^<>]*>)(.*?)(</script|\Z)", re.IGNORECASE | re.DOTALL)
_ABSOLUTE = re.compile(rb"""(<[^<>]*?\s(?:href|src)=["'])/(?!/)""")


def framed(policy: bytes) -> bytes:
    """Return a Content-Security-Policy that lets pages of the same origin frame this one."""
    return _FRAME_ANCESTORS.sub(rb"\1\2frame-ancestors 'self'", policy)


def below(page: bytes, prefix: bytes) -> bytes:
    """Return a page of the panel that finds its parts below `prefix`; inline scripts stay byte for byte."""
    page = _BASE_PATH.sub(lambda found: found[1] + prefix + found[2] + b'"', page, count=1)
    parts, at = [], 0
    for script in _SCRIPT.finditer(page):  # what is between the tags has its hash in the page's policy
        parts += [_moved(page[at : script.end(1)], prefix), script[2]]
        at = script.end(2)
    return b"".join([*parts, _moved(page[at:], prefix)])


def _moved(markup: bytes, prefix: bytes) -> bytes:
    return _ABSOLUTE.sub(lambda found: found[1] + prefix + b"/", markup)


def location_inside(location: str, *, origin: str, prefix: str) -> str:
    """Return where a redirect of the gateway leads, seen from outside; never out of the prefix to our api."""
    if location.startswith(origin):
        location = location.removeprefix(origin) or "/"
    if location.startswith("/") and not location.startswith("//"):
        return prefix + location
    return location
