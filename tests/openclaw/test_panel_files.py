"""What the real panel consists of, fetched through Buddy and compared with what the gateway serves."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from openclaw_system import START_SECONDS, System

pytestmark = pytest.mark.openclaw

PART = re.compile(r"""(?:src|href)=["']([^"']+\.(?:js|css))["']""")
PREFIX = "/v1/proxy/"


@dataclass(frozen=True)
class Panel:
    """The panel, as Buddy serves it and as the gateway does."""

    system: System

    def ours(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        buddy = self.system.buddy
        return ask(method, f"{buddy.url}/v1/proxy/{path}", buddy.token, headers)

    def theirs(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        openclaw = self.system.openclaw
        return ask(method, f"http://127.0.0.1:{openclaw.port}/{path}", openclaw.token, headers)


def ask(method: str, url: str, token: str, headers: dict[str, str]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", **headers}
    return httpx.request(
        method, url, headers=headers, trust_env=False, timeout=START_SECONDS, follow_redirects=True
    )


def inside(url: str) -> str:
    """Return the path below our prefix: that of the gateway, wherever its config puts the panel."""
    before, prefix, path = urlsplit(url).path.partition(PREFIX)
    assert (before, prefix) == ("", PREFIX), url
    return path


@pytest.fixture
def panel(each_system: System) -> Panel:
    each_system.ensure_running()
    return Panel(each_system)


def test_every_file_comes_byte_for_byte_whole_in_part_or_not_at_all(panel: Panel) -> None:
    where = panel.system.buddy.get("/v1/openclaw/dashboard-url").json()["data"]["url"]
    page = panel.ours(inside(where), Accept="text/html")
    assert page.status_code == 200
    parts = sorted({inside(urljoin(str(page.url), part)) for part in PART.findall(page.text)})
    assert parts

    for path in parts:
        ours, theirs = panel.ours(path), panel.theirs(path)
        assert (ours.status_code, ours.content) == (200, theirs.content)
        assert ours.headers["content-type"] == theirs.headers["content-type"]

        head = panel.ours(path, "HEAD")
        assert (head.status_code, head.content) == (panel.theirs(path, "HEAD").status_code, b"")
        for condition in ({"Range": "bytes=0-99"}, {"If-None-Match": theirs.headers.get("etag", '"none"')}):
            ours, theirs_now = panel.ours(path, **condition), panel.theirs(path, **condition)
            assert (ours.status_code, ours.content) == (theirs_now.status_code, theirs_now.content)


def test_what_the_gateway_does_not_take_is_refused_in_its_own_words(panel: Panel) -> None:
    for method, path in (("GET", "assets/none.js"), ("POST", "assets/none.js"), ("GET", "no-such-page.json")):
        ours, theirs = panel.ours(path, method), panel.theirs(path, method)
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_a_panel_that_its_config_puts_below_a_path_is_found_from_the_same_address(panel: Panel) -> None:
    def move(config: dict[str, Any]) -> None:
        config["gateway"]["controlUi"] = {"basePath": "/somewhere/else"}

    def is_there() -> bool:
        page = panel.ours("", Accept="text/html")
        return page.status_code == 200 and page.url.path == f"{PREFIX}somewhere/else/"

    with panel.system.openclaw.edited(move):
        panel.system.buddy.until(is_there, what="the panel is found", seconds=START_SECONDS)
