"""The gateway's real panel below our prefix, in a real browser: in a tab, and in a frame of ours."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from browser import ALL_TEXT, Page, browser_program, open_browser
from fakes.model_provider import ANSWER
from openclaw_system import QUESTION, START_SECONDS, System

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.browser,
    pytest.mark.skipif(
        browser_program() is None, reason="no Chromium on this machine: `apt-get install chromium`"
    ),
]

# of what a browser says of an answer that is an error
FAILED = re.compile(r"status of (\d{3})\b.* (http\S+)$")
COMPOSER = """(() => {
  const find = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.matches('textarea, [contenteditable=true]') && node.offsetParent) return node;
      const inside = node.shadowRoot && find(node.shadowRoot);
      if (inside) return inside;
    }
  };
  const node = find(document);
  if (!node || node.disabled) return false;
  node.focus();
  return true;
})()"""


FRAME_IS_THERE = """(() => {
  const frame = document.querySelector('iframe');
  return frame?.contentWindow.location.pathname.startsWith('/v1/proxy/')
    && frame.contentDocument.readyState === 'complete';
})()"""


@pytest.fixture
def page(tmp_path: Path, each_system: System) -> Iterator[Page]:
    each_system.ensure_running()
    buddy = each_system.buddy
    with open_browser(tmp_path / "profile") as page:
        page.open(f"{buddy.url}/login")
        page.wait("document.readyState === 'complete'", seconds=START_SECONDS)
        signed_in = page.evaluate(
            f"fetch('/login', {{method: 'POST', headers: {{'Content-Type': 'application/json'}},"
            f" body: JSON.stringify({{token: '{buddy.token}'}})}}).then(answer => answer.status)"
        )
        assert signed_in == 200
        yield page


def chats(page: Page, system: System, *, frame: str | None = None) -> None:
    """Type a question into the panel, and wait for the model's words."""
    page.wait(COMPOSER, seconds=START_SECONDS, frame=frame)
    asked = system.provider.requests
    page.type(QUESTION)
    assert system.provider.wait_for_requests(asked + 1, seconds=START_SECONDS), page.text(frame=frame)
    words = ANSWER.split(".")[0]
    page.wait(f"({ALL_TEXT})(document).includes({words!r})", seconds=START_SECONDS, frame=frame)


def errors_of_ours(page: Page, system: System) -> list[str]:
    """Return what went wrong but for that which the gateway itself answers so, where no avatar is set."""
    return [error for error in page.errors if not is_of_the_gateway(error, system)]


def is_of_the_gateway(error: str, system: System) -> bool:
    found = FAILED.search(error)
    before, prefix, path = found[2].partition("/v1/proxy/") if found else ("", "", "")
    if found is None or before != system.buddy.url or not prefix:
        return False
    direct = f"http://127.0.0.1:{system.openclaw.port}/{path}"
    headers = {"Authorization": f"Bearer {system.openclaw.token}"}
    return httpx.get(direct, headers=headers, trust_env=False, timeout=60).status_code == int(found[1])


def stored(page: Page, *, frame: str | None = None) -> str:
    """Return all that the panel has stored in the browser."""
    expression = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    return str(page.evaluate(expression, frame=frame))


def test_the_panel_chats_in_a_tab_and_sees_no_token(page: Page, each_system: System) -> None:
    url = each_system.buddy.get("/v1/openclaw/dashboard-url").json()["data"]["url"]
    page.errors.clear()
    page.open(url)
    chats(page, each_system)

    kept = stored(page)
    assert each_system.openclaw.token not in kept
    assert each_system.buddy.token not in kept
    assert errors_of_ours(page, each_system) == []


def test_the_panel_chats_in_a_frame_of_our_own_page(page: Page, each_system: System) -> None:
    page.errors.clear()
    own_page = f"{each_system.buddy.url}/a-page-of-ours"
    frame_of_ours = '<iframe src="/v1/proxy/" style="width: 1200px; height: 800px"></iframe>'
    page.serve(own_page, f'<link rel="icon" href="data:,">{frame_of_ours}')
    page.open(own_page)
    page.wait(f"location.href === {own_page!r}", seconds=START_SECONDS)
    page.wait(FRAME_IS_THERE, seconds=START_SECONDS)
    frame = page.frame("/v1/proxy/")
    assert frame is not None
    chats(page, each_system, frame=frame)
    assert errors_of_ours(page, each_system) == []
