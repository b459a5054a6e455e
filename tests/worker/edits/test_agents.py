"""The table of agents, in both of its layouts and in those that OpenClaw would refuse."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.errors import (
    BotExistsError,
    BuddyError,
    GatewayConfigError,
    ProtectedBotError,
    UnknownBotError,
)
from buddy_worker.edits.agents import add_entry, entry_of, remove_entry, require_bot

Config = dict[str, Any]
MAIN_WORKSPACE = "/state/workspace"


def add(config: Config, bot: str = "bot_1", *, is_new: bool) -> None:
    entry = {"name": bot, "workspace": f"/state/workspace-{bot}"}
    add_entry(config, bot, entry, is_new=is_new, main_workspace=MAIN_WORKSPACE)


def keyed(*bots: str) -> Config:
    return {"agents": {"entries": {bot: {"name": bot} for bot in bots}}}


def listed(*bots: str) -> Config:
    return {"agents": {"list": [{"id": bot, "name": bot} for bot in bots]}}


def test_a_file_without_agents_has_main_alone() -> None:
    require_bot({}, "main")
    with pytest.raises(UnknownBotError):
        require_bot({}, "bot_1")


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("config", [keyed("main", "a"), listed("main", "a")])
def test_the_entry_of_a_bot_is_changed_in_place(config: Config, *, is_new: bool) -> None:
    config = deepcopy(config)

    entry_of(config, "a", is_new=is_new)["emoji"] = "🤖"

    agents = config["agents"]
    found = agents["entries"]["a"] if "entries" in agents else agents["list"][1]
    assert found["emoji"] == "🤖"
    assert found["name"] == "a"


def test_the_implicit_main_gets_an_entry_in_the_layout_of_its_openclaw() -> None:
    new: Config = {}
    old: Config = {"agents": {"defaults": {"model": "x/y"}}}

    entry_of(new, "main", is_new=True)["emoji"] = "🤖"
    entry_of(old, "main", is_new=False)["emoji"] = "🤖"

    assert new == {"agents": {"entries": {"main": {"emoji": "🤖"}}}}
    assert old["agents"]["list"] == [{"id": "main", "emoji": "🤖"}]


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("config", [{}, keyed("main"), listed("main")])
def test_a_bot_that_is_not_there_has_no_entry(config: Config, *, is_new: bool) -> None:
    before = deepcopy(config)

    for call in (entry_of, lambda c, bot, **_: remove_entry(c, bot)):
        with pytest.raises(UnknownBotError):
            call(config, "bot_1", is_new=is_new)

    assert config == before


def test_the_second_bot_of_the_newer_generation_leaves_the_first_what_it_was() -> None:
    config: Config = {}

    add(config, is_new=True)

    assert config == {
        "agents": {
            "entries": {
                "main": {"workspace": MAIN_WORKSPACE},
                "bot_1": {"name": "bot_1", "workspace": "/state/workspace-bot_1"},
            },
            "ownership": "explicit",
            "defaults": {"systemAgent": {"agentId": "main"}, "heartbeat": {"agentId": "main"}},
        },
        "talk": {"agentId": "main"},
    }


def test_what_is_said_already_is_not_said_otherwise() -> None:
    config = keyed("main") | {"talk": {"agentId": "x", "voice": "v"}}
    config["agents"] |= {"ownership": "mine", "defaults": {"heartbeat": {"every": "1h"}}}
    config["agents"]["entries"]["main"]["workspace"] = "/mine"

    add(config, is_new=True)

    assert config["talk"] == {"agentId": "x", "voice": "v"}
    assert config["agents"]["ownership"] == "mine"
    assert config["agents"]["defaults"]["heartbeat"] == {"every": "1h", "agentId": "main"}
    assert config["agents"]["entries"]["main"]["workspace"] == "/mine"


def test_of_several_bots_none_gets_a_workspace_that_it_had_not() -> None:
    config = keyed("main", "a")

    add(config, is_new=True)

    assert "workspace" not in config["agents"]["entries"]["main"]


def test_the_older_generation_lists_bots_and_names_main_first() -> None:
    config: Config = {}

    add(config, is_new=False)
    add(config, "bot_2", is_new=False)

    assert [row["id"] for row in config["agents"]["list"]] == ["main", "bot_1", "bot_2"]
    assert set(config) == set(config["agents"]) ^ {"list", "agents"}


def test_an_array_becomes_an_object_with_all_that_was_in_it() -> None:
    config = listed("a", "b")
    config["agents"]["list"][1]["default"] = True

    add(config, is_new=True)

    agents = config["agents"]
    assert "list" not in agents
    assert list(agents["entries"]) == ["a", "b", "bot_1"]
    assert agents["entries"]["b"] == {"name": "b"}
    assert agents["defaults"]["systemAgent"] == {"agentId": "b"}
    assert agents["ownership"] == "explicit"


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("config", [keyed("main", "bot_1"), listed("main", "bot_1")])
def test_a_bot_is_not_added_twice(config: Config, *, is_new: bool) -> None:
    before = deepcopy(config)
    with pytest.raises(BotExistsError):
        add(config, is_new=is_new)
    assert config == before


@pytest.mark.parametrize("is_new", [True, False])
def test_main_is_there_before_it_is_written(*, is_new: bool) -> None:
    with pytest.raises(BotExistsError):
        add({}, "main", is_new=is_new)


def test_a_bot_that_goes_takes_what_sends_to_it() -> None:
    config = listed("main", "a", "b")
    config |= {
        "bindings": [{"agentId": "a"}, {"agentId": "b"}, "odd"],
        "talk": {"agentId": "a"},
        "tools": {"agentToAgent": {"allow": ["a", "b"]}},
    }
    config["agents"]["defaults"] = {"heartbeat": {"agentId": "a"}, "systemAgent": {"agentId": "main"}}

    remove_entry(config, "a")

    with pytest.raises(UnknownBotError):
        require_bot(config, "a")
    require_bot(config, "b")
    assert config["bindings"] == [{"agentId": "b"}, "odd"]
    assert config["talk"] == {"agentId": "main"}
    assert config["agents"]["defaults"]["heartbeat"] == {"agentId": "main"}
    assert config["tools"]["agentToAgent"]["allow"] == ["b"]


def owned(*ids: str) -> Config:
    """A config in which all that can names the bot `a`."""
    entries = {name: {"subagents": {"allowAgents": ["a", "*", "b"]}} for name in ids}
    return {
        "agents": {
            "entries": entries,
            "ownership": "explicit",
            "defaults": {
                "heartbeat": {"agentId": "a", "every": "5m"},
                "systemAgent": {"agentId": "main"},
                "subagents": {"allowAgents": [" A "]},
            },
        },
        "bindings": [{"agentId": "A"}],
        "talk": {"agentId": "a"},
        "tools": {"agentToAgent": {"enabled": True, "allow": ["a"]}},
        "hooks": {"allowedAgentIds": ["a", "b"], "mappings": [{"agentId": "a"}, {"path": "x"}]},
        "broadcast": {"x": ["a", "b"], "y": {"agents": ["a"]}, "strategy": "parallel"},
    }


def left(*ids: str) -> Config:
    """What 2026.9.6 leaves of it, but for its heartbeat and ownership."""
    return {
        "agents": {
            "entries": {name: {"subagents": {"allowAgents": ["*", "b"]}} for name in ids},
            "defaults": {"systemAgent": {"agentId": "main"}, "subagents": {"allowAgents": []}},
        },
        "tools": {"agentToAgent": {"enabled": True}},
        "hooks": {"allowedAgentIds": ["b"], "mappings": [{"path": "x"}]},
        "broadcast": {"x": ["b"], "y": {"agents": []}, "strategy": "parallel"},
    }


def test_where_several_stay_openclaw_drops_the_whole_heartbeat_of_the_one_that_goes() -> None:
    config, wanted = owned("main", "a", "b"), left("main", "b")
    wanted["agents"]["ownership"] = "explicit"

    remove_entry(config, "a")

    assert config == wanted


def test_where_one_stays_it_takes_over_the_heartbeat() -> None:
    config, wanted = owned("main", "a"), left("main")
    wanted["agents"]["defaults"]["heartbeat"] = {"every": "5m"}

    remove_entry(config, "a")

    assert config == wanted


def test_what_names_others_stays_when_a_bot_goes() -> None:
    config = owned("main", "a", "b", "c")
    before = deepcopy(config)

    remove_entry(config, "c")

    del before["agents"]["entries"]["c"]
    assert config == before


@pytest.mark.parametrize(
    ("config", "bot"),
    [
        ({}, "main"),
        (keyed("main", "a"), "main"),
        (listed("a", "b"), "a"),
        (keyed("a"), "a"),
        ({"agents": {"entries": {"a": {}, "b": {}}, "defaults": {"systemAgent": {"agentId": "b"}}}}, "b"),
        ({"agents": {"list": [{"id": "a"}, {"id": "b", "default": True}]}}, "b"),
    ],
)
def test_the_default_bot_and_the_last_one_stay(config: Config, bot: str) -> None:
    before = deepcopy(config)
    with pytest.raises(ProtectedBotError):
        remove_entry(config, bot)
    assert config == before


BROKEN: list[Any] = [[], "x", 5, None, True, [None], {"entries": []}, {"entries": "x"}, {"entries": None}]
BROKEN += [{"entries": {"main": []}}, {"entries": {"main": None}}, {"entries": {"main": "x"}}]
BROKEN += [{"list": {}}, {"list": "x"}, {"list": None}, {"list": ["main"]}, {"list": [{"id": "main"}, None]}]


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("agents", BROKEN, ids=str)
def test_something_else_where_bots_are_is_refused_and_not_written_over(agents: Any, *, is_new: bool) -> None:
    for call in (
        lambda config: entry_of(config, "main", is_new=is_new),
        lambda config: add(config, is_new=is_new),
        lambda config: remove_entry(config, "a"),
    ):
        config = {"agents": deepcopy(agents)}
        with pytest.raises(BuddyError) as caught:
            call(config)
        assert isinstance(caught.value, GatewayConfigError | UnknownBotError)


@pytest.mark.parametrize("rows", [[{"id": "a"}, {"id": "a"}], [{"id": "a"}, {}], [{"id": "a"}, {"id": 5}]])
def test_an_array_that_would_lose_a_bot_is_not_turned_into_an_object(rows: list[Config]) -> None:
    with pytest.raises(GatewayConfigError, match=r"agents\.list"):
        add({"agents": {"list": rows}}, is_new=True)


@pytest.mark.parametrize(
    "config",
    [
        keyed("main", "a") | {"bindings": {}, "talk": [], "tools": "x"},
        {"agents": {"entries": {"main": {}, "a": {}}, "defaults": []}},
        {"agents": {"entries": [], "list": [{"id": "main"}, {"id": "a"}, "x"]}},
    ],
)
def test_a_bot_can_go_from_a_config_that_is_broken_elsewhere(config: Config) -> None:
    remove_entry(config, "a")
    with pytest.raises(UnknownBotError):
        require_bot(config, "a")


@pytest.mark.parametrize(
    "config",
    [
        keyed("main") | {"talk": []},
        {"agents": {"defaults": "x"}},
        {"agents": {"defaults": {"heartbeat": []}}},
    ],
)
def test_a_bot_is_not_added_where_its_owner_cannot_be_said(config: Config) -> None:
    with pytest.raises(GatewayConfigError):
        add(config, is_new=True)
