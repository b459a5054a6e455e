"""Traefik's routes, as it reads them, against the routes that the services have."""

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from buddy_api.app import create_app
from buddy_api.config import ApiConfig
from buddy_proxy.app import PREFIXES
from deploy.conftest import traefik_file

Http = dict[str, Any]
TOKEN = "a-token-for-the-deploy-tests-0123456789"
RULE = re.compile(r"PathPrefix\(`(/[^`]*)`\)( \|\| PathPrefix\(`(/[^`]*)`\))*")


@pytest.fixture
def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("BUDDY_DATABASE_URL", database_url)
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("BUDDY_TOKEN", TOKEN)
    return create_app(ApiConfig.from_environment())


def router_of(http: Http, path: str) -> str:
    """Return the router that Traefik takes: of those whose rule matches, the one of the highest priority."""
    matching: list[tuple[int, str]] = [
        (router["priority"], name)
        for name, router in http["routers"].items()
        if any(path.startswith(prefix) for prefix in re.findall(r"`([^`]*)`", router["rule"]))
    ]
    return max(matching)[1]


def test_every_route_of_the_api_reaches_the_api(app: FastAPI, http: Http) -> None:
    paths = [path for route in app.routes if (path := getattr(route, "path", None))]
    streamed = {path for path in paths if path.startswith(PREFIXES)}  # the api's own answer without a proxy
    assert len(paths) > 50
    assert {router_of(http, path) for path in set(paths) - streamed} == {"api"}
    assert {router_of(http, path) for path in streamed} == {"proxy"}


@pytest.mark.parametrize(
    ("path", "router"),
    [
        ("/flower", "flower"),
        ("/flower/api/workers", "flower"),
        ("/flower/static/js/flower.js", "flower"),
        ("/traefik/dashboard/", "dashboard"),
        ("/traefik/api/overview", "dashboard"),
        ("/", "api"),
        ("/v1/flower", "api"),
        ("/no-such-page", "api"),
        ("/v1/openclaw/chat/completions", "proxy"),
        ("/v1/openclaw/chat/status", "api"),
        ("/v1/proxy", "proxy"),
        ("/v1/proxy/assets/a.js", "proxy"),
        ("/v1/ws/logs", "proxy"),
    ],
)
def test_a_path_reaches_its_service(http: Http, path: str, router: str) -> None:
    assert router_of(http, path) == router


def test_no_two_rules_that_match_one_path_have_one_priority(http: Http) -> None:
    routers = [
        (prefix, router["priority"])
        for router in http["routers"].values()
        for prefix in re.findall(r"`([^`]*)`", router["rule"])
    ]
    for prefix, priority in routers:
        nested = [other for other in routers if other[0] != prefix and other[0].startswith(prefix)]
        assert all(priority < other for _, other in nested), prefix


def test_every_rule_is_one_that_these_tests_understand(http: Http) -> None:
    assert all(RULE.fullmatch(router["rule"]) for router in http["routers"].values())


def test_every_router_names_an_entry_point_and_a_service_that_are_there(http: Http) -> None:
    for router in http["routers"].values():
        assert router["entryPoints"] == ["web"]
        assert router["service"] in {*http["services"], "api@internal"}
        assert set(router.get("middlewares", [])) <= set(http["middlewares"])


def test_all_but_api_and_proxy_which_do_it_themselves_ask_for_buddys_token(http: Http) -> None:
    for name, router in http["routers"].items():
        assert router.get("middlewares") == (None if name in {"api", "proxy"} else ["buddy-token"])


async def test_traefik_asks_a_route_that_refuses_strangers(app: FastAPI, http: Http) -> None:
    asked = http["middlewares"]["buddy-token"]["forwardAuth"]
    assert asked["trustForwardHeader"] is False
    url = urlsplit(asked["address"])
    assert f"{url.scheme}://{url.netloc}" == http["services"]["api"]["loadBalancer"]["servers"][0]["url"]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api:3000") as client:
        refused = await client.get(url.path)
        allowed = await client.get(url.path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert refused.status_code == HTTPStatus.UNAUTHORIZED
    assert allowed.is_success


def test_the_ports_are_those_that_the_services_listen_on(http: Http, services: dict[str, Any]) -> None:
    ports = {
        name: urlsplit(service["loadBalancer"]["servers"][0]["url"]).port
        for name, service in http["services"].items()
    }
    assert ports == {
        "api": int(services["api"]["environment"]["BUDDY_WEB_PORT"]),
        "flower": int(services["flower"]["environment"]["FLOWER_PORT"]),
        "proxy": int(services["proxy"]["environment"]["BUDDY_PROXY_PORT"]),
    }


def test_a_service_that_lives_in_the_network_of_another_is_reached_by_its_name(http: Http) -> None:
    assert http["services"]["proxy"]["loadBalancer"]["servers"] == [{"url": "http://openclaw:3001"}]


def test_the_proxy_gets_what_its_app_says_is_its(http: Http) -> None:
    assert set(re.findall(r"`([^`]*)`", http["routers"]["proxy"]["rule"])) == set(PREFIXES)


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    labels = {"a": {"traefik.http.routers.x.rule": "1"}, "b": {"traefik.http.routers.x.rule": "2"}}
    file = tmp_path / "compose.yml"
    file.write_text(json.dumps({"services": {name: {"labels": each} for name, each in labels.items()}}))

    assert "http.routers.x.rule is said twice" in traefik_file(file).stderr
