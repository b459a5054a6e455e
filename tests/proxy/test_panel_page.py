"""What of the panel is rewritten, and that it is all."""

import pytest

from buddy_common.errors import InvalidRequestError
from buddy_proxy.panel_page import below, framed, location_inside
from buddy_proxy.panel_path import gateway_path

NEW = b"""<html data-openclaw-control-ui-base-path="" lang="en"><head>
<link rel="icon" href="/favicon.svg"><script>const a = '<a href="/x">'; go("/y")</script>
<script type="module" crossorigin src="/assets/index.js"></script><a href="//cdn.example/x">x</a>"""
OLD = b"""<html lang="en"><script type="module" crossorigin src="./assets/index.js"></script>"""


def test_pages_of_the_newer_generation_learn_their_prefix() -> None:
    page = below(NEW, b"/v1/proxy")
    assert b'data-openclaw-control-ui-base-path="/v1/proxy"' in page
    assert b'href="/v1/proxy/favicon.svg"' in page
    assert b'src="/v1/proxy/assets/index.js"' in page
    assert b'href="//cdn.example/x"' in page


@pytest.mark.parametrize(
    "script",
    [
        b"""const a = '<a href="/x">'; go("/y")""",
        b"""let b = "<img\n src='/x'>";""",
        b"",
        b"if (a<b && c>d) e('/f')",
    ],
)
@pytest.mark.parametrize("tag", [b"<script>", b'<SCRIPT type="module">', b'<script src="/z.js">'])
def test_inline_scripts_stay_byte_for_byte(tag: bytes, script: bytes) -> None:
    page = below(b'<a href="/1">' + tag + script + b'</script><a href="/2">', b"/v1/proxy")

    moved = tag.replace(b'"/z.js"', b'"/v1/proxy/z.js"')
    assert page == b'<a href="/v1/proxy/1">' + moved + script + b'</script><a href="/v1/proxy/2">'


def test_a_script_without_an_end_stays_as_it_is() -> None:
    page = b"""<script>let b = "<img src='/x'>";"""
    assert below(page, b"/v1/proxy") == page


def test_a_panel_that_its_config_puts_below_a_path_is_found_there() -> None:
    page = below(
        NEW.replace(b'path=""', b'path="/panel"').replace(b"/assets", b"/panel/assets"), b"/v1/proxy"
    )
    assert b'data-openclaw-control-ui-base-path="/v1/proxy/panel"' in page
    assert b'src="/v1/proxy/panel/assets/index.js"' in page


def test_pages_of_the_older_generation_stay_as_they_are() -> None:
    assert below(OLD, b"/v1/proxy") == OLD


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (b"frame-ancestors 'none'", b"frame-ancestors 'self'"),
        (
            b"default-src 'self'; frame-ancestors 'none'; script-src 'sha256-x'",
            b"default-src 'self'; frame-ancestors 'self'; script-src 'sha256-x'",
        ),
        (b"default-src 'self'", b"default-src 'self'"),
    ],
)
def test_only_the_frame_ancestors_of_a_policy_change(policy: bytes, expected: bytes) -> None:
    assert framed(policy) == expected


@pytest.mark.parametrize(
    ("location", "inside"),
    [
        ("/chat", "/v1/proxy/chat"),
        ("http://127.0.0.1:18789/chat?x=1", "/v1/proxy/chat?x=1"),
        ("http://127.0.0.1:18789", "/v1/proxy/"),
        ("chat", "chat"),
        ("https://docs.example/", "https://docs.example/"),
    ],
)
def test_redirects_stay_inside(location: str, inside: str) -> None:
    assert location_inside(location, origin="http://127.0.0.1:18789", prefix="/v1/proxy") == inside


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (b"/v1/proxy/", b"", "/"),
        (b"/v1/proxy", b"", "/"),
        (b"/v1/proxy/a/b%20c", b"x=%2F..%2f&y", "/a/b%20c?x=%2F..%2f&y"),
        (b"/v1/proxy/a..b/.well-known/x", b"", "/a..b/.well-known/x"),
        (b"/v1/proxy/", b"ticket=abc", "/"),
        (b"/v1/proxy/", b"ticket=abc&x=1", "/?x=1"),
        (b"/v1/proxy/", b"x=1&ticket=abc", "/?x=1"),
        (b"/v1/proxy/", b"myticket=1", "/?myticket=1"),
    ],
)
def test_a_path_is_passed_on_as_it_is_written_but_for_our_ticket(
    path: bytes, query: bytes, expected: str
) -> None:
    assert gateway_path(path, query) == expected


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/proxy/..", b"/v1/proxy/../v1/chat", b"/v1/proxy/a/../b", b"/v1/proxy/%2e%2e/x",
        b"/v1/proxy/.%2E/x", b"/v1/proxy/a%2fb", b"/v1/proxy/a%5Cb", b"/v1/proxy/a\\b",
        b"/v1/proxy/a%0d%0aX:1",
        b"/v1/proxy/a%00", b"/v1/proxy//evil.example/", b"/v1/proxyless", b"/V1/proxy/", b"/v1%2fproxy/",
        b"/v1/proxy/a b", b"/v1/proxy/./a",
    ],
)  # fmt: skip
def test_a_path_that_somebody_could_read_otherwise_is_refused(path: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        gateway_path(path, b"")
