"""Who may start a WeChat login, and what is written of it."""

import base64
import hashlib
import re

import pytest

from api.acting import audit, count_rows, row_of
from api.conftest import ORIGIN, TOKEN, Api
from api.wechat.playing import (
    PATH,
    asking,
    begun,
    report,
    show_code,
)
from buddy_api.routers import wechat
from buddy_common.adapters.access import COOKIE
from buddy_common.schemas.wechat import LoginState


async def test_login_is_audited_and_its_row_knows_nothing_of_the_code(api: Api) -> None:
    async with asking(api) as answering:
        await show_code(api, await begun(api))
        await answering

    (event,) = await audit(api)
    assert (event["action"], event["target"]) == ("login_wechat", "openclaw-weixin")
    row = await row_of(api, event["taskID"])
    assert "mockqr" not in row.model_dump_json()


@pytest.mark.parametrize("changes", [{"installed": False, "enabled": False}, {"enabled": False}])
async def test_without_the_plugin_the_answer_says_to_install_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, changes: dict[str, bool]
) -> None:
    await report(api, **changes)
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.1)

    answer = await api.client.get(PATH)

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "wechat_not_installed")
    assert "POST /v1/wechat/install" in answer.json()["message"]
    assert await count_rows(api) == 0


async def test_stranger_starts_nothing(api: Api) -> None:
    answer = await api.stranger.get(PATH)

    assert answer.status_code == 401
    assert await count_rows(api) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Referer": "http://evil.example/buddy.test"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": ORIGIN}, 200),
        ({"Referer": f"{ORIGIN}/panel"}, 200),
    ],
)
async def test_cookie_starts_a_login_from_our_own_pages_only(
    api: Api, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(wechat, "CODE_SECONDS", 0.1)

    answer = await api.stranger.get(PATH, headers={**headers, "Cookie": f"{COOKIE}={TOKEN}"})

    assert answer.status_code == status, answer.text
    assert await count_rows(api) == (1 if status == 200 else 0)


async def test_page_asks_our_own_origin_only_and_says_where_it_asks_from(api: Api) -> None:
    page = await api.stranger.get("/wechat")

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    script = page.text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert "connect-src 'self'" in policy
    assert page.headers["referrer-policy"] == "same-origin"  # else a cookie counts for nothing without TLS
    assert set(LoginState) <= set(re.findall(r"^  (\w+): ", script, re.MULTILINE))
