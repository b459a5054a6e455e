"""Which of the guide's routes are there. The list of missing ones may only shrink."""

import pytest
from fastapi import FastAPI
from starlette.routing import Route

from buddy_proxy.app import create_app as create_proxy
from buddy_proxy.config import ProxyConfig
from contract.guide import guide_routes, misfits, route_key

# take a line out when its route lands; the test below fails until you do
MISSING: set[str] = set()


def test_the_missing_routes_of_the_guide_are_exactly_those_listed(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1")  # never asked
    there = {
        route_key(method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    there |= {
        route_key(method, getattr(route, "path", ""))
        for route in create_proxy(ProxyConfig.from_environment()).routes
        for method in getattr(route, "methods", None) or ["ANY" if isinstance(route, Route) else "WEBSOCKET"]
    }
    missing = {route.key for route in guide_routes()} - there

    assert missing == MISSING


def test_the_guide_has_the_routes_that_it_says_it_has() -> None:
    keys = [route.key for route in guide_routes()]
    assert len(keys) == len(set(keys))
    assert len(keys) > 50


def test_the_guides_texts_are_as_it_writes_them() -> None:
    """It has the comma of ASCII in Chinese, too, and a client may compare bytes."""
    texts = [route.data["message"] for route in guide_routes() if "message" in (route.data or [])]
    assert len(texts) > 4
    assert not [text for text in texts if set(text) & set("，。；：！")]


@pytest.mark.parametrize(
    "live",
    [
        {},
        {"status": 1},
        [],
        {"status": None},
    ],
)
def test_an_answer_that_does_not_fit_the_example_is_found(live: object) -> None:
    assert misfits({"status": "ok"}, live)


def test_an_answer_with_more_than_the_example_fits() -> None:
    assert misfits({"cpu": 1.5, "list": [{"a": "x"}]}, {"cpu": 2, "list": [{"a": "y", "b": 1}], "c": 3}) == []


def test_an_empty_list_proves_nothing() -> None:
    assert misfits([{"a": "x"}], [])
