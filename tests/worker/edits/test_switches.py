"""Changes that turn something on or off."""

from typing import Any

import pytest

from buddy_common.errors import GatewayConfigError
from buddy_worker.edits.switches import enable_chat, enable_plugin

Config = dict[str, Any]


@pytest.mark.parametrize("enabled", [True, False])
def test_chat_is_turned_on_and_off_and_nothing_beside_it(*, enabled: bool) -> None:
    config: Config = {"gateway": {"port": 1, "http": {"endpoints": {"responses": {"enabled": True}}}}}

    enable_chat(config, enabled=enabled)

    assert config == {
        "gateway": {
            "port": 1,
            "http": {"endpoints": {"responses": {"enabled": True}, "chatCompletions": {"enabled": enabled}}},
        }
    }


def test_chat_keeps_its_other_settings() -> None:
    config: Config = {"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": False, "x": 1}}}}}

    enable_chat(config, enabled=True)

    assert config["gateway"]["http"]["endpoints"]["chatCompletions"] == {"enabled": True, "x": 1}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_plugin_is_turned_on_and_off_and_keeps_its_settings(*, enabled: bool) -> None:
    config: Config = {"plugins": {"entries": {"a": {"config": {"x": 1}}, "b": {"enabled": True}}}}

    enable_plugin(config, "a", enabled=enabled)

    assert config == {
        "plugins": {"entries": {"a": {"config": {"x": 1}, "enabled": enabled}, "b": {"enabled": True}}}
    }


def test_a_plugin_that_is_turned_on_goes_on_the_list_of_those_that_may_run() -> None:
    config: Config = {"plugins": {"allow": ["b"], "deny": ["a", "c"]}}

    enable_plugin(config, "a", enabled=True)
    enable_plugin(config, "a", enabled=True)

    assert config["plugins"]["allow"] == ["b", "a"]
    assert config["plugins"]["deny"] == ["c"]


def test_an_empty_list_lets_all_run_and_stays_empty() -> None:
    config: Config = {"plugins": {"allow": []}}

    enable_plugin(config, "a", enabled=True)

    assert config["plugins"]["allow"] == []


def test_a_plugin_that_is_turned_off_stays_on_its_lists() -> None:
    config: Config = {"plugins": {"allow": ["a"], "deny": ["a"]}}

    enable_plugin(config, "a", enabled=False)

    assert (config["plugins"]["allow"], config["plugins"]["deny"]) == (["a"], ["a"])


@pytest.mark.parametrize("value", [[], "x", 5, None, True])
@pytest.mark.parametrize("path", ["gateway", "gateway.http", "gateway.http.endpoints.chatCompletions"])
def test_something_else_where_chat_is_set_is_refused_by_its_path(path: str, value: Any) -> None:
    config: Config = {}
    holder = config
    *above, last = path.split(".")
    for key in above:
        holder = holder.setdefault(key, {})
    holder[last] = value

    with pytest.raises(GatewayConfigError, match=rf"{path} must be an object"):
        enable_chat(config, enabled=True)


@pytest.mark.parametrize("value", [[], "x", 5, None, True])
def test_something_else_where_plugins_are_is_refused(value: Any) -> None:
    for config in (
        {"plugins": value},
        {"plugins": {"entries": value}},
        {"plugins": {"entries": {"a": value}}},
    ):
        with pytest.raises(GatewayConfigError):
            enable_plugin(config, "a", enabled=True)


@pytest.mark.parametrize("value", ["x", 5, None, {}])
def test_lists_that_are_none_are_left_to_openclaw(value: Any) -> None:
    config: Config = {"plugins": {"allow": value, "deny": value}}

    enable_plugin(config, "a", enabled=True)

    assert (config["plugins"]["allow"], config["plugins"]["deny"]) == (value, value)
