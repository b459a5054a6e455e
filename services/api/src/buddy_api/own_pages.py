"""A page to sign in with a browser: no scripts but its own, nothing from elsewhere."""

import base64
import hashlib
import re
from importlib import resources

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install_login_page(app: FastAPI) -> None:
    """Add `GET /login`; the page posts to `POST /login`."""
    html = (resources.files("buddy_api") / "pages" / "login.html").read_text(encoding="utf-8")
    script = _SCRIPT.search(html)
    if script is None:
        raise RuntimeError("the login page has lost its script")
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )

    @app.get("/login", include_in_schema=False)
    async def login_page() -> HTMLResponse:
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})
