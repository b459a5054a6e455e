"""Pages that agents wrote have no origin of ours; the panel keeps its own."""

import pytest

from buddy_proxy.panel_policy import SANDBOX, Headers, confined

HTML = b"text/html; charset=utf-8"
# as the gateways send them, shortened to what matters
NEW_PANEL = b"default-src 'self'; script-src 'self' 'sha256-abc' 'wasm-unsafe-eval'; frame-ancestors 'self'"
OLD_PANEL = (
    b"default-src 'self'; base-uri 'none'; script-src 'self' 'sha256-abc'; connect-src 'self' ws: wss:"
)
WIDGET = b"default-src 'none'; script-src 'unsafe-inline' https://cdn.example; sandbox allow-scripts"
SHARED = b"default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'none'"


def answer(kind: bytes | None, *policies: bytes) -> Headers:
    headers = [] if kind is None else [(b"content-type", kind)]
    return [*headers, *((b"content-security-policy", policy) for policy in policies)]


def policies(headers: Headers) -> list[bytes]:
    return [value for name, value in headers if name == b"content-security-policy"]


@pytest.mark.parametrize(
    "kind",
    [
        HTML, b"TEXT/HTML", b"application/xhtml+xml", b"image/svg+xml", b"IMAGE/SVG+XML; charset=utf-8",
        b"text/xml", b"application/xml", b"application/atom+xml", b"text/xsl", b"message/rfc822",
        b"multipart/x-mixed-replace", b"application/x-of-tomorrow", b"", None, b"text/plain, text/html",
    ],
)  # fmt: skip
def test_what_a_browser_may_take_for_a_page_gets_an_origin_of_its_own(kind: bytes | None) -> None:
    (policy,) = policies(confined(answer(kind)))
    assert policy == SANDBOX
    assert b"allow-same-origin" not in policy
    assert b"escape" not in policy  # what it opens would be let out
    assert b"top-navigation" not in policy


def test_of_two_content_types_the_worse_counts() -> None:
    headers = [*answer(b"text/plain"), *answer(HTML)]
    assert policies(confined(headers)) == [SANDBOX]


@pytest.mark.parametrize(
    "kind",
    [b"application/json; charset=utf-8", b"text/javascript", b"text/css", b"image/png", b"font/woff2",
     b"video/mp4", b"text/plain", b"application/pdf"],
)  # fmt: skip
def test_what_runs_no_scripts_of_its_own_gets_no_policy_but_is_not_guessed_at(kind: bytes) -> None:
    headers = confined(answer(kind))
    assert policies(headers) == []
    assert headers.count((b"x-content-type-options", b"nosniff")) == 1


@pytest.mark.parametrize("policy", [NEW_PANEL, OLD_PANEL, WIDGET, SHARED])
def test_a_policy_of_the_panel_is_enough(policy: bytes) -> None:
    assert policies(confined(answer(HTML, policy))) == [policy]


@pytest.mark.parametrize(
    "policy",
    [
        b"frame-ancestors 'self'",
        b"default-src 'self'",
        b"script-src 'self'; img-src *",
        b"default-src 'none'; script-src 'unsafe-inline'",
        b"default-src 'none'; script-src 'sha256-abc' https:",
        b"script-src *; script-src 'none'",
        b"sandbox allow-scripts allow-same-origin",
        b"",
    ],
)
def test_a_policy_under_which_agents_could_act_gets_ours_beside_it(policy: bytes) -> None:
    assert policies(confined(answer(HTML, policy))) == [policy, SANDBOX]


def test_one_policy_of_several_is_enough() -> None:
    both = [b"frame-ancestors 'self'", NEW_PANEL]
    assert policies(confined(answer(HTML, *both))) == both
    assert policies(confined(answer(HTML, b", ".join(both)))) == [b", ".join(both)]


def test_another_word_on_sniffing_is_replaced() -> None:
    headers = confined([*answer(b"text/plain"), (b"x-content-type-options", b"off")])
    assert headers.count((b"x-content-type-options", b"nosniff")) == 1
    assert (b"x-content-type-options", b"off") not in headers
