"""Pages of our own for browsers: no scripts but their own, nothing from elsewhere."""

import base64
import hashlib
import re
from importlib import resources

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from buddy_common.schemas.wechat import LOGIN_PAGE

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install_own_pages(app: FastAPI) -> None:
    """Add the page to sign in, which posts to `POST /login`, and the one that shows the code of WeChat.

    They hold nothing but themselves, so they need no token; what they ask for does.
    """
    _install(app, "/login", "login.html")
    _install(app, LOGIN_PAGE, "wechat.html")


def _install(app: FastAPI, path: str, name: str) -> None:
    html = (resources.files("buddy_api") / "pages" / name).read_text(encoding="utf-8")
    script = _SCRIPT.search(html)
    if script is None:
        raise RuntimeError(f"the page {name} has lost its script")
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    headers = {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:;"
            " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        # where there is no TLS, a browser tells a GET of our own pages by nothing else
        "Referrer-Policy": "same-origin",
    }

    @app.get(path, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)
