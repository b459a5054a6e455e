"""What children see: their settings, and no more secrets than they need."""

import pytest

from buddy_cli.children import (
    broker_child,
    flower_child,
    reachable,
    redis_answers,
    service_environment,
    web_child,
)
from buddy_common.settings import FlowerSettings, GatewaySettings, WebSettings
from fakes.ports import free_port


def test_our_services_see_all_settings_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BUDDY_TOKEN": "t", "WEB_PORT": "3001", "HEALTH_PORT": "1", "PATH": "/bin", "SOMETHING": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    seen = service_environment(GatewaySettings(), BUDDY_REDIS_URL="redis://x")

    assert seen["BUDDY_TOKEN"] == "t"
    assert seen["WEB_PORT"] == "3001"
    assert seen["HEALTH_PORT"] == "1"
    assert seen["PATH"] == "/bin"
    assert seen["BUDDY_REDIS_URL"] == "redis://x"
    assert "SOMETHING" not in seen


def test_what_the_gateway_is_to_see_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_GATEWAY_PASS_ENV", "API_KEY, OTHER_KEY")
    monkeypatch.setenv("API_KEY", "a")
    monkeypatch.setenv("OTHER_KEY", "b")

    seen = service_environment(GatewaySettings())

    assert (seen["API_KEY"], seen["OTHER_KEY"]) == ("a", "b")


def test_broker_and_flower_do_not_see_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "secret")
    for child in (
        broker_child(["valkey-server"], "redis://x"),
        flower_child("redis://x", FlowerSettings(), token="t"),
    ):
        assert not any(name.startswith("BUDDY_") for name in child.environment)


def test_no_secret_is_on_a_command_line_or_in_a_representation() -> None:
    child = flower_child("redis://:hunter2@127.0.0.1/0", FlowerSettings(), token="hunter2")

    assert "hunter2" not in " ".join(child.arguments)
    assert "hunter2" not in repr(child)


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("192.0.2.1", "192.0.2.1"), ("::1", "[::1]")],  # noqa: S104 - what a user may set
)
def test_a_server_is_asked_where_it_can_be_reached(host: str, address: str) -> None:
    assert reachable(host) == address


async def test_a_child_whose_route_does_not_answer_is_not_ready() -> None:
    child = web_child({}, WebSettings(port=free_port()), with_proxy=True)

    assert not await child.ready()


async def test_redis_answers_only_with_the_right_password(redis_url: str) -> None:
    assert await redis_answers(redis_url)
    assert not await redis_answers(redis_url.replace("redis://:", "redis://:wrong"))
    assert not await redis_answers(f"redis://127.0.0.1:{free_port()}/0")
