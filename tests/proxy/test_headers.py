"""What crosses the proxy, and what does not."""

import pytest

from buddy_proxy.headers import cookie_inside, cookies_for_gateway, from_gateway, to_gateway

GIVEN = [
    (b"host", b"buddy.example"),
    (b"authorization", b"Bearer ours"),
    (b"cookie", b"guardian_token=ours"),
    (b"connection", b"keep-alive, X-Secret-Hop"),
    (b"x-secret-hop", b"1"),
    (b"transfer-encoding", b"chunked"),
    (b"content-length", b"3"),
    (b"te", b"trailers"),
    (b"upgrade", b"h2c"),
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-forwarded-host", b"evil"),
    (b"forwarded", b"for=1.2.3.4"),
    (b"x-real-ip", b"1.2.3.4"),
    (b"via", b"1.1 x"),
    (b"tailscale-user-login", b"root"),
    (b"cf-connecting-ip", b"1.2.3.4"),
    (b"expect", b"100-continue"),
    (b"content-type", b"application/json"),
    (b"x-openclaw-session-key", b"thread"),
    (b"accept", b"*/*"),
]


def test_only_what_is_meant_for_the_gateway_goes_to_it() -> None:
    assert to_gateway(GIVEN, authority="127.0.0.1:18789", token="theirs") == [
        ("content-type", "application/json"),
        ("x-openclaw-session-key", "thread"),
        ("accept", "*/*"),
        ("Host", "127.0.0.1:18789"),
        ("Authorization", "Bearer theirs"),
    ]


def test_a_gateway_without_a_token_gets_none() -> None:
    names = [name for name, _ in to_gateway(GIVEN, authority="x", token=None)]
    assert "Authorization" not in names


def test_of_an_answer_the_hops_own_headers_stay_behind() -> None:
    answer = [
        (b"Content-Type", b"text/html"),
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Date", b"now"),
        (b"Server", b"x"),
        (b"ETag", b'"1"'),
        (b"Set-Cookie", b"a=b"),
    ]
    assert from_gateway(answer, without=frozenset({b"set-cookie"})) == [
        (b"content-type", b"text/html"),
        (b"etag", b'"1"'),
    ]


@pytest.mark.parametrize(
    ("cookies", "left"),
    [
        (["guardian_token=x"], ""),
        (["a=1; guardian_token=x; b=2"], "a=1; b=2"),
        (["a=1", " guardian_token =x;b=2"], "a=1; b=2"),
        ([], ""),
    ],
)
def test_the_gateway_never_sees_our_cookie(cookies: list[str], left: str) -> None:
    assert cookies_for_gateway([(b"cookie", cookie.encode()) for cookie in cookies]) == left


@pytest.mark.parametrize(
    ("cookie", "inside"),
    [
        ("a=1", "a=1; Path=/v1/proxy/"),
        ("a=1; Path=/x; Domain=gateway; HttpOnly; Secure", "a=1; HttpOnly; Path=/v1/proxy/x; Secure"),
        ("a=1; Path=../", "a=1; Path=/v1/proxy/"),
        ("guardian_token=evil; Path=/", None),
        ("Guardian_Token=evil", None),
        ("", None),
    ],
)
def test_a_cookie_of_the_gateway_stays_below_the_prefix(cookie: str, inside: str | None) -> None:
    assert cookie_inside(cookie, "/v1/proxy") == inside
