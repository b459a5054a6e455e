"""The panel over HTTP, through real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from fakes.http_gateway import TOKEN as GATEWAY_TOKEN
from fakes.http_gateway import HttpGateway, read
from proxy.conftest import TOKEN, Serve, Served, comes_true
from proxy.raw_server import Raw

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGE = b'<html data-openclaw-control-ui-base-path=""><script src="/assets/a.js"></script></html>'
COOKIE = {"Cookie": f"guardian_token={TOKEN}"}


def answers(gateway: HttpGateway, make: Callable[[], web.StreamResponse]) -> None:
    """Answer every request so, and remember it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        gateway.seen.append(await read(request))
        return make()

    gateway.answer = answer


async def test_the_page_is_framed_and_finds_its_parts_below_the_prefix(
    proxy: Served, gateway: HttpGateway
) -> None:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": "script-src 'self' 'sha256-abc'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "ETag": '"1"',
    }
    answers(gateway, lambda: web.Response(body=PAGE, headers=headers))

    sent = {**COOKIE, "Accept": "text/html", "Accept-Encoding": "gzip", "If-None-Match": '"1"'}
    response = await proxy.stranger.get("/v1/proxy/", headers=sent)

    assert b'base-path="/v1/proxy"' in response.content
    assert b'src="/v1/proxy/assets/a.js"' in response.content
    assert "x-frame-options" not in response.headers
    assert response.headers["content-security-policy"] == (
        "script-src 'self' 'sha256-abc'; frame-ancestors 'self'"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    (seen,) = gateway.seen
    assert not {"cookie", "accept-encoding", "if-none-match"} & set(seen.headers)


async def test_the_gateway_sees_a_page_of_its_own_from_loopback(proxy: Served, gateway: HttpGateway) -> None:
    answers(gateway, lambda: web.json_response({}))
    headers = {
        "Cookie": f"theme=dark; guardian_token={TOKEN}",
        "Authorization": "Bearer what-the-panel-has",
        "Origin": proxy.url,
        "Referer": f"{proxy.url}/v1/proxy/?x",
        "X-Forwarded-Host": "evil",
        "X-Custom": "1",
    }
    response = await proxy.stranger.post("/v1/proxy/api/x?a=%2F", content=b"abc", headers=headers)

    assert response.status_code == 200
    (seen,) = gateway.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/api/x?a=%2F", b"abc")
    assert seen.headers["host"] == f"127.0.0.1:{gateway.port}"
    assert seen.headers["origin"] == f"http://127.0.0.1:{gateway.port}"
    assert seen.headers["authorization"] == f"Bearer {GATEWAY_TOKEN}"
    assert seen.headers["cookie"] == "theme=dark"
    assert seen.headers["x-custom"] == "1"
    assert seen.headers["content-length"] == "3"
    assert not {"referer", "x-forwarded-host"} & set(seen.headers)
    assert TOKEN not in str(seen)


async def test_without_a_slash_it_leads_to_the_one_with(proxy: Served) -> None:
    response = await proxy.client.get("/v1/proxy")
    assert (response.status_code, response.headers["location"]) == (307, "/v1/proxy/")


async def test_a_panel_that_its_config_puts_below_a_path_is_led_to(
    proxy: Served, gateway: HttpGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.wiring.target, "panel", "/my panel")
    proxy.wiring.target.forget()

    for query in ("", "?session=main"):
        response = await proxy.client.get(f"/v1/proxy/{query}")
        assert (response.status_code, response.headers["location"]) == (
            307,
            f"/v1/proxy/my%20panel/{query}",
        )
    assert (await proxy.stranger.get("/v1/proxy/")).status_code == 401


async def test_redirects_and_cookies_stay_below_the_prefix(proxy: Served, gateway: HttpGateway) -> None:
    def make() -> web.StreamResponse:
        response = web.Response(status=302, headers={"Location": "/login"})
        response.headers.add("Set-Cookie", "a=1; Path=/; Domain=x")
        response.headers.add("Set-Cookie", "guardian_token=evil; Path=/")
        return response

    answers(gateway, make)
    response = await proxy.client.get("/v1/proxy/x")
    assert response.headers["location"] == "/v1/proxy/login"
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/v1/proxy/"]


@pytest.mark.parametrize(
    ("status", "sent", "back"),
    [
        (206, {"Range": "bytes=0-1"}, {"Content-Range": "bytes 0-1/9"}),
        (304, {"If-None-Match": '"1"'}, {"ETag": '"1"'}),
        (200, {"Accept-Encoding": "gzip"}, {"Content-Type": "text/javascript", "ETag": '"2"'}),
        (404, {}, {"Content-Type": "application/json"}),
    ],
)
async def test_ranges_and_validators_pass_both_ways(
    proxy: Served, gateway: HttpGateway, status: int, sent: dict[str, str], back: dict[str, str]
) -> None:
    answers(gateway, lambda: web.Response(status=status, headers=back, body=b"" if status == 304 else b"ab"))
    response = await proxy.client.get("/v1/proxy/assets/a.js", headers=sent)
    assert response.status_code == status
    assert back.items() <= dict(gateway_case(response.headers)).items()
    assert {name.lower(): value for name, value in sent.items()}.items() <= gateway.seen[0].headers.items()


def gateway_case(headers: object) -> dict[str, str]:
    """Header names as tests write them."""
    names = {"content-range": "Content-Range", "etag": "ETag", "content-type": "Content-Type"}
    return {names.get(name, name): value for name, value in headers.items()}  # type: ignore[attr-defined]  # httpx.Headers


async def test_head_has_the_length_and_no_body(proxy: Served, gateway: HttpGateway) -> None:
    answers(gateway, lambda: web.Response(body=b"x" * 77, headers={"Content-Type": "image/png"}))
    response = await proxy.client.head("/v1/proxy/a.png")
    assert (response.headers["content-length"], response.content) == ("77", b"")
    assert gateway.seen[0].method == "HEAD"


async def test_a_compressed_answer_is_passed_on_as_it_is(proxy: Served, gateway: HttpGateway) -> None:
    packed = b"\x1f\x8b not really"
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/css"}
    answers(gateway, lambda: web.Response(body=packed, headers=headers))
    async with proxy.client.stream("GET", "/v1/proxy/a.css") as response:
        assert response.headers["content-encoding"] == "gzip"
        assert b"".join([part async for part in response.aiter_raw()]) == packed


async def test_a_big_download_streams_and_a_slow_reader_holds_the_gateway_up(
    proxy: Served, gateway: HttpGateway
) -> None:
    written = 0
    piece = b"x" * 65536

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        while True:
            await response.write(piece)
            written += len(piece)

    gateway.answer = endless
    async with proxy.client.stream("GET", "/v1/proxy/big") as response:
        raw = response.aiter_raw()
        await anext(raw)
        last = -1
        async with asyncio.timeout(5):
            while last != written:  # until nobody takes any more
                last = written
                await asyncio.sleep(0.2)
        assert written < 32 * 1024 * 1024
        for _ in range(200):
            await anext(raw)
    async with asyncio.timeout(5):
        await gateway.left.wait()


async def test_an_upload_streams(proxy: Served, gateway: HttpGateway) -> None:
    first = asyncio.Event()
    sizes: list[int] = []

    async def upload(request: web.Request) -> web.StreamResponse:
        async for part in request.content.iter_any():
            sizes.append(len(part))
            first.set()
        return web.json_response({"bytes": sum(sizes)})

    async def body() -> AsyncIterator[bytes]:
        yield b"a" * 1000
        async with asyncio.timeout(5):
            await first.wait()  # there before the rest is sent
        for _ in range(10):
            yield b"b" * 100_000

    gateway.answer = upload
    response = await proxy.client.post("/v1/proxy/upload", content=body())
    assert response.json() == {"bytes": 1_001_000}


async def test_a_client_that_leaves_in_the_middle_of_an_upload_is_forgotten(
    proxy: Served, gateway: HttpGateway
) -> None:
    async def upload(request: web.Request) -> web.StreamResponse:
        await request.read()
        raise AssertionError

    gateway.answer = upload
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(
        b"POST /v1/proxy/up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\nabc"
    )
    await comes_true(lambda: len(proxy.wiring.running) == 1)
    writer.close()
    await comes_true(lambda: len(proxy.wiring.running) == 0 and not proxy.wiring.clients._open)
    del reader


async def test_strangers_and_other_sites_are_refused_before_anything_is_dialled(
    proxy: Served, gateway: HttpGateway
) -> None:
    answers(gateway, lambda: web.json_response({}))
    stranger = await proxy.stranger.get("/v1/proxy/")
    evil = {**COOKIE, "Origin": "https://evil.example"}
    forged = await proxy.stranger.post("/v1/proxy/api/x", headers=evil)
    bare = await proxy.stranger.post("/v1/proxy/api/x", headers=COOKIE)

    assert (stranger.status_code, stranger.json()["data"]["error"]) == (401, "unauthorized")
    assert (forged.status_code, forged.json()["data"]["error"]) == (403, "cross_origin")
    assert bare.status_code == 403
    assert gateway.seen == []


async def test_a_gateway_that_is_down_is_a_502_and_back_without_a_restart(
    proxy: Served, gateway: HttpGateway
) -> None:
    await gateway.stop()
    down = await proxy.client.get("/v1/proxy/")
    assert (down.status_code, down.json()["data"]["error"]) == (502, "gateway_unreachable")
    await gateway.start()
    assert (await proxy.client.get("/v1/proxy/x")).status_code == 200


async def test_a_gateway_that_says_nothing_is_a_504(serve: Serve, gateway: HttpGateway) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    gateway.answer = never
    async with serve(silence_seconds=0.2) as proxy:
        assert (await proxy.client.get("/v1/proxy/x")).status_code == 504


@pytest.mark.parametrize("status", [200, 206, 404])
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
async def test_a_page_that_an_agent_wrote_cannot_act_with_our_cookie(
    proxy: Served, gateway: HttpGateway, kind: str, status: int
) -> None:
    page = b"<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('/v1/gateway/stop')</script></svg>"
    answers(gateway, lambda: web.Response(status=status, body=page, headers={"Content-Type": kind}))
    response = await proxy.stranger.get("/v1/proxy/__openclaw__/canvas/x", headers=COOKIE)
    sandbox = response.headers["content-security-policy"].partition(";")[0].split()
    assert sandbox[0] == "sandbox"
    assert "allow-same-origin" not in sandbox
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_what_is_not_modified_keeps_the_policy_that_it_came_with(
    proxy: Served, gateway: HttpGateway
) -> None:
    answers(gateway, lambda: web.Response(status=304, headers={"ETag": '"1"'}))
    response = await proxy.client.get("/v1/proxy/sw.js", headers={"If-None-Match": '"1"'})
    assert response.status_code == 304
    assert "content-security-policy" not in response.headers


@pytest.mark.parametrize("status", [b"304 Not Modified", b"204 No Content"])
async def test_the_length_of_a_body_that_does_not_come_is_left_out(
    proxy: Served, raw: Raw, status: bytes
) -> None:
    raw.answers = [b"HTTP/1.1 %b\r\nContent-Length: 77\r\nETag: 1\r\n\r\n" % status]
    proxy.aim(int(raw.url.removesuffix("/x").rpartition(":")[2]), GATEWAY_TOKEN)
    for _ in range(2):
        response = await proxy.client.get("/v1/proxy/assets/a.js", headers={"If-None-Match": "1"})
        assert response.headers["etag"] == "1"
        assert "content-length" not in response.headers
