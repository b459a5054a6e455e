"""Who gets in, by what, and who does not."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from api.conftest import ORIGIN, TOKEN, Api, client_of
from buddy_api.app import create_app, wiring_of
from buddy_api.config import ApiConfig
from buddy_common.adapters.access import COOKIE
from buddy_common.errors import CrossOriginError


async def login(api: Api, token: str = TOKEN) -> httpx.Response:
    return await api.stranger.post("/login", json={"token": token})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \xe9\xff"},
        {"Cookie": f"{COOKIE}=wrong"},
    ],
)
async def test_wrong_credentials_are_refused(headers: dict[str, str], api: Api) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await api.stranger.get("/v1/auth/me", headers=raw)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_token_in_the_query_opens_nothing(api: Api) -> None:
    answer = await api.stranger.get("/v1/auth/me", params={"token": TOKEN, "ticket": TOKEN})
    assert answer.status_code == 401


async def test_a_bearer_token_gets_in(api: Api) -> None:
    answer = await api.client.get("/v1/auth/me")
    assert answer.json() == {
        "code": 200,
        "message": "success",
        "data": {"user": "admin", "via": "bearer"},
    }


async def test_the_guides_cookie_with_the_token_itself_gets_in(api: Api) -> None:
    answer = await api.stranger.get("/v1/auth/me", headers={"Cookie": f"{COOKIE}={TOKEN}"})
    assert answer.json()["data"]["via"] == "cookie"


async def test_login_sets_an_opaque_session_and_no_token(api: Api) -> None:
    answer = await login(api)

    assert answer.json() == {"code": 200, "message": "success"}
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    for part in ("HttpOnly", "SameSite=strict", "Max-Age=604800", f"{COOKIE}="):
        assert part in cookie
    assert "Secure" not in cookie  # plain http in this test
    assert (await api.stranger.get("/v1/auth/me")).json()["data"]["via"] == "session"


async def test_login_over_tls_sets_a_secure_cookie(api: Api) -> None:
    answer = await api.stranger.post("https://buddy.test/login", json={"token": TOKEN})
    assert "Secure" in answer.headers["set-cookie"]


async def test_login_with_a_wrong_token_is_the_guides_401_and_leaves_an_event(api: Api) -> None:
    answer = await login(api, "wrong")

    assert answer.status_code == 401
    assert answer.json()["code"] == 401
    assert answer.json()["message"] == "Invalid token"
    events = (await api.client.get("/v1/system/events")).json()["data"]
    assert (events[0]["action"], events[0]["status"]) == ("login", "denied")
    assert events[0]["address"] == "203.0.113.7"


async def test_login_attempts_are_limited_even_for_the_right_token(api: Api) -> None:
    for _ in range(5):
        await login(api, "wrong")

    answer = await login(api)

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert answer.json()["data"]["error"] == "too_many_attempts"


async def test_beyond_the_limit_one_event_stands_for_all_refused_logins_of_a_minute(api: Api) -> None:
    for _ in range(20):
        await login(api, "wrong")
    events = (await api.client.get("/v1/system/events", params={"action": "login"})).json()["data"]
    assert [event["detail"] for event in events] == ["too many attempts"] + ["invalid token"] * 5


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_wrong_tokens_are_limited_per_address_and_the_right_one_gets_in(method: str, api: Api) -> None:
    wrong = [await me(api, f"wrong-{number}", method=method) for number in range(7)]

    assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2
    assert wrong[6].json()["data"]["error"] == "too_many_attempts"
    assert 1 <= int(wrong[6].headers["retry-after"]) <= 61
    assert (await api.client.get("/v1/auth/me")).status_code == 200
    assert (await login(api)).status_code == 200


async def me(api: Api, token: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    path = "/v1/auth/me" if method == "GET" else "/v1/openclaw/bots/add"
    return await api.stranger.request(method, path, headers={"Authorization": f"Bearer {token}", **headers})


async def test_a_forged_forwarded_address_makes_no_new_guesses(api: Api) -> None:
    headers = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(6)]
    answers = [await me(api, "wrong", **each) for each in headers]
    assert answers[-1].status_code == 429


async def test_tokens_are_guessed_no_faster_by_cookie(api: Api) -> None:
    cookies = [{"Cookie": f"{COOKIE}=guess-{number}"} for number in range(6)]
    answers = [await api.stranger.get("/v1/auth/me", headers=cookie) for cookie in cookies]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]


async def test_a_page_whose_session_has_ended_is_told_so_however_often_it_asks(api: Api) -> None:
    ended = {"Cookie": f"{COOKIE}=a-session-of-last-week"}
    for _ in range(10):
        assert (await api.stranger.get("/v1/auth/me", headers=ended)).status_code == 401
    for _ in range(10):
        assert (await api.stranger.get("/v1/auth/me")).status_code == 401  # nothing is no guess


async def test_a_forged_forwarded_address_changes_nothing_without_a_trusted_proxy(api: Api) -> None:
    for number in range(5):
        await api.stranger.post(
            "/login", json={"token": "wrong"}, headers={"X-Forwarded-For": f"198.51.100.{number}"}
        )
    assert (await login(api)).status_code == 429


async def test_a_websocket_may_come_with_a_ticket(api: Api) -> None:
    ticket = (await api.client.post("/v1/auth/ticket")).json()["data"]["ticket"]
    scope = {"type": "websocket", "headers": [], "query_string": f"ticket={ticket}".encode()}
    operator = await api.wiring.authenticator.authenticate(HTTPConnection(scope))
    assert (operator.via, operator.address) == ("ticket", "unknown")


async def test_logout_ends_the_session(api: Api) -> None:
    await login(api)
    secret = api.stranger.cookies[COOKIE]
    answer = await api.stranger.post("/v1/auth/logout", headers={"Origin": ORIGIN})

    assert answer.status_code == 200
    async with client_of(api.app) as thief:
        thief.cookies.set(COOKIE, secret)
        assert (await thief.get("/v1/auth/me")).status_code == 401


@pytest.mark.parametrize(
    "origin", [None, "http://evil.test", "null", "http://buddy.test.evil.test", "http://buddy.test:81"]
)
@pytest.mark.parametrize("credential", ["session", "token"])
async def test_a_change_by_cookie_from_another_origin_is_refused(
    origin: str | None, credential: str, api: Api
) -> None:
    if credential == "session":
        await login(api)
    else:
        api.stranger.cookies.set(COOKIE, TOKEN)
    headers = {"Origin": origin} if origin else {}

    answer = await api.stranger.post("/v1/gateway/stop", headers=headers)

    assert answer.status_code == 403
    assert answer.json()["data"]["error"] == "cross_origin"
    assert (await api.client.get("/v1/tasks/status")).json()["data"] == []


async def test_a_change_by_cookie_from_our_own_page_is_accepted(api: Api) -> None:
    await login(api)
    answer = await api.stranger.post("/v1/gateway/stop", headers={"Origin": ORIGIN})
    assert answer.status_code == 202


async def test_a_bearer_token_needs_no_origin(api: Api) -> None:
    answer = await api.client.post("/v1/gateway/stop", headers={"Origin": "http://evil.test"})
    assert answer.status_code == 202


async def test_a_ticket_works_once_and_for_reading_only(api: Api) -> None:
    issued = (await api.client.post("/v1/auth/ticket")).json()["data"]
    ticket = {"ticket": issued["ticket"]}
    assert issued["expires_in"] == 60

    refused = await api.stranger.post("/v1/gateway/stop", params=ticket)
    first = await api.stranger.get("/v1/auth/me", params=ticket)
    second = await api.stranger.get("/v1/auth/me", params=ticket)

    assert refused.status_code == 401
    assert first.json()["data"]["via"] == "ticket"
    assert second.status_code == 401


async def test_check_answers_a_reverse_proxy(api: Api) -> None:
    assert (await api.client.get("/v1/auth/check")).status_code == 200
    assert (await api.stranger.get("/v1/auth/check")).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"), [("http://buddy.test", 200), ("http://evil.test", 403), (None, 403)]
)
async def test_check_lets_a_cookie_change_something_from_pages_of_the_same_host_only(
    api: Api, origin: str | None, status: int
) -> None:
    asked = {"X-Forwarded-Method": "POST", "X-Forwarded-Host": "buddy.test"}
    asked |= {} if origin is None else {"Origin": origin}
    cookie = {"Cookie": f"guardian_token={TOKEN}"}

    assert (await api.stranger.get("/v1/auth/check", headers=asked | cookie)).status_code == status
    assert (await api.client.get("/v1/auth/check", headers=asked)).status_code == 200


async def test_a_browser_that_wants_the_docs_is_sent_to_the_login_page_first(api: Api) -> None:
    sent = await api.stranger.get("/docs", headers={"Accept": "text/html,*/*"})
    page = await api.stranger.get(f"/{sent.headers['location']}")
    assert sent.status_code == 303
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    await login(api)
    assert (await api.stranger.get("/docs", headers={"Accept": "text/html"})).status_code == 200


@pytest.fixture
def app_with_public_docs(api_environment: pytest.MonkeyPatch) -> FastAPI:
    api_environment.setenv("BUDDY_DOCS_PUBLIC", "true")
    return create_app(ApiConfig.from_environment())


async def test_docs_are_public_only_when_the_operator_says_so(app_with_public_docs: FastAPI) -> None:
    async with client_of(app_with_public_docs) as stranger:
        page = await stranger.get("/docs")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "cdn" not in page.text
        for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
            assert (await stranger.get(f"/docs/assets/{asset}")).status_code == 200
        assert (await stranger.get("/docs/assets/..%2f..%2fmain.py")).status_code == 404
    await wiring_of(app_with_public_docs).close()


@pytest.mark.parametrize(
    ("origin", "refused"), [("https://evil.example", True), ("null", True), ("http://buddy.test", False)]
)
async def test_a_websocket_of_another_site_is_refused_whatever_it_carries(
    origin: str, api: Api, *, refused: bool
) -> None:
    headers = [
        (b"host", b"buddy.test"),
        (b"origin", origin.encode()),
        (b"authorization", f"Bearer {TOKEN}".encode()),
    ]
    scope = {"type": "websocket", "headers": headers, "query_string": b""}
    asked = api.wiring.authenticator.authenticate(HTTPConnection(scope))

    if refused:
        with pytest.raises(CrossOriginError):
            await asked
    else:
        assert (await asked).via == "bearer"
