"""Chats, panels and sockets that no router took to a proxy."""

import json

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketDenialResponse

from api.conftest import TOKEN, Api
from buddy_common.db import nodes

URL = "https://n1.example:8443"
CHAT = "/v1/openclaw/chat/completions"


async def registered(api: Api, proxy_url: str | None) -> None:
    await api.wiring.database.run(
        lambda session: nodes.touch(session, "local", hostname="here", proxy_url=proxy_url)
    )


async def test_a_node_without_a_proxy_answers_501(api: Api) -> None:
    await registered(api, None)
    chat = await api.client.post(CHAT, json={})
    panel = await api.client.get("/v1/proxy/")

    assert (chat.status_code, chat.json()["error"]["code"]) == (501, "no_proxy")
    assert (panel.status_code, panel.json()["data"]["error"]) == (501, "no_proxy")
    assert "BUDDY_PROXY_URL" in panel.json()["message"]


async def test_a_node_with_a_proxy_leads_there_with_path_and_query(api: Api) -> None:
    await registered(api, URL)
    chat = await api.client.post(CHAT, json={})
    panel = await api.client.get("/v1/proxy/a/b?x=1")

    assert (chat.status_code, chat.headers["location"]) == (307, URL + CHAT)
    assert (panel.status_code, panel.headers["location"]) == (307, f"{URL}/v1/proxy/a/b?x=1")


async def test_whoever_chats_in_vain_reads_so_in_the_shape_of_openai(api: Api) -> None:
    strange = await api.stranger.post(CHAT, json={})
    elsewhere = await api.client.post(CHAT, json={}, params={"node": "n9"})

    assert (strange.status_code, strange.json()["error"]["code"]) == (401, "unauthorized")
    assert strange.headers["www-authenticate"] == "Bearer"
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (404, "unknown_node")


async def test_the_dashboard_of_a_node_with_a_proxy_is_there(api: Api) -> None:
    await registered(api, URL)
    answer = await api.client.get("/v1/openclaw/dashboard-url")
    assert answer.json()["data"]["url"] == f"{URL}/v1/proxy/"


@pytest.mark.parametrize("path", [CHAT, "/v1/proxy/", "/v1/proxy/a"])
async def test_strangers_do_not_learn_where_proxies_are(api: Api, path: str) -> None:
    await registered(api, URL)
    answer = await api.stranger.post(path)
    assert answer.status_code == 401
    assert "location" not in answer.headers


def test_a_websocket_is_refused_with_the_reason(app: FastAPI) -> None:
    client = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    with client, pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/v1/ws/logs"):
        pass
    assert refused.value.status_code in {501, 503}
    assert json.loads(refused.value.content)["data"]["error"] in {"no_proxy", "no_node"}
