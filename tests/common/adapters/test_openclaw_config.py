"""What both layouts of `openclaw.json` say of agents and models."""

from typing import Any

import pytest

from buddy_common.adapters.openclaw_config import (
    AgentEntry,
    Config,
    ModelEntry,
    agents_of,
    chat_enabled,
    default_agent,
    default_model,
    gateway_token,
    heartbeat_prompts,
    models_of,
    named_models,
    panel_base,
    primary_model,
    providers_of,
    section,
)

MAIN = AgentEntry("main", None, {}, None, None)
FULL = {
    "name": "Bot One",
    "identity": {"name": "一号", "emoji": "🤖"},
    "workspace": "/srv/bot_1",
    "model": {"primary": "mock/one", "fallbacks": ["mock/two", "other/org/three"]},
}


def in_entries(*ids: str, **agents: Any) -> Config:
    """A config of 2026.9."""
    return {"agents": {"entries": {name: {} for name in ids}, **agents}}


def in_list(*ids: str, **agents: Any) -> Config:
    """A config of the older generation."""
    return {"agents": {"list": [{"id": name} for name in ids], **agents}}


@pytest.mark.parametrize(
    "agents",
    [{"entries": {"main": {}, "bot_1": FULL}}, {"list": [{"id": "main"}, {"id": "bot_1", **FULL}]}],
)
def test_agents_are_read_from_either_layout(agents: dict[str, Any]) -> None:
    assert agents_of({"agents": agents}) == [
        MAIN,
        AgentEntry("bot_1", "Bot One", {"name": "一号", "emoji": "🤖"}, "/srv/bot_1", "mock/one"),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"agents": {}},
        {"agents": None},
        {"agents": []},
        {"agents": {"entries": {}}},
        {"agents": {"list": []}},
        {"agents": {"list": {}}},
        {"agents": {"list": ["bot_1", None, {}, {"id": ""}, {"id": 5}]}},
    ],
)
def test_a_file_without_agents_has_main(config: Config) -> None:
    assert agents_of(config) == [MAIN]
    assert default_agent(config) == "main"


def test_of_both_layouts_the_newer_one_counts() -> None:
    config = {"agents": {"entries": {"new": {}}, "list": [{"id": "old"}]}}

    assert [agent.id for agent in agents_of(config)] == ["new"]


def test_agents_stay_in_the_order_of_the_file() -> None:
    for config in (in_entries("z", "main", "a"), in_list("z", "main", "a")):
        assert [agent.id for agent in agents_of(config)] == ["z", "main", "a"]


def test_fields_of_another_kind_are_left_open() -> None:
    entry = {"name": 5, "identity": "x", "workspace": ["/srv"], "model": ["mock/one"]}

    assert agents_of({"agents": {"entries": {"main": entry}}}) == [MAIN]
    assert agents_of({"agents": {"entries": {"main": None}}}) == [MAIN]


@pytest.mark.parametrize("model", ["mock/one", {"primary": "mock/one", "fallbacks": ["mock/two"]}])
def test_an_agent_without_a_model_has_that_of_the_defaults(model: Any) -> None:
    config = {"agents": {"defaults": {"model": model}, "entries": {"a": {}, "b": {"model": "own/model"}}}}

    assert default_model(config) == "mock/one"
    assert [agent.model for agent in agents_of(config)] == ["mock/one", "own/model"]
    assert agents_of({"agents": {"defaults": {"model": model}}})[0].model == "mock/one"


@pytest.mark.parametrize(
    "config", [{}, {"agents": {"defaults": {}}}, {"agents": {"defaults": {"model": {}}}}]
)
def test_without_a_default_model_there_is_none(config: Config) -> None:
    assert default_model(config) is None


@pytest.mark.parametrize(
    ("value", "model"),
    [
        ("a/b", "a/b"),
        ("", None),
        (None, None),
        (5, None),
        ({"primary": "a/b"}, "a/b"),
        ({"primary": 5}, None),
    ],
)
def test_a_model_is_a_text_or_has_a_primary_one(value: Any, model: str | None) -> None:
    assert primary_model(value) == model


@pytest.mark.parametrize(
    "agents",
    [
        {"entries": {"main": {}, "bot_1": {"default": True}, "bot_2": {"default": True}}},
        {"list": [{"id": "main"}, {"id": "bot_1", "default": True}, {"id": "bot_2", "default": True}]},
    ],
)
def test_the_first_agent_that_is_marked_is_the_default(agents: dict[str, Any]) -> None:
    assert default_agent({"agents": agents}) == "bot_1"


def test_the_agent_of_the_system_is_the_default_unless_it_is_unknown() -> None:
    chosen = {"defaults": {"systemAgent": {"agentId": "bot_1"}}}

    assert default_agent(in_entries("main", "bot_1", **chosen)) == "bot_1"
    assert default_agent(in_entries("main", "bot_2", **chosen)) == "main"


def test_a_mark_goes_before_the_agent_of_the_system() -> None:
    agents = {
        "defaults": {"systemAgent": {"agentId": "main"}},
        "entries": {"main": {}, "bot_1": {"default": True}},
    }

    assert default_agent({"agents": agents}) == "bot_1"


def test_of_entries_without_a_mark_main_is_the_default_and_else_the_first() -> None:
    assert default_agent(in_entries("bot_1", "main")) == "main"
    assert default_agent(in_entries("bot_1", "bot_2")) == "bot_1"


def test_of_a_list_without_a_mark_the_first_is_the_default() -> None:
    """As `resolveDefaultAgentId` of 2026.3.28 has it."""
    assert default_agent(in_list("bot_1", "main")) == "bot_1"
    assert default_agent(in_list("main", "bot_1")) == "main"


def test_models_are_those_of_all_providers() -> None:
    one, three = {"id": "one", "name": "One"}, {"id": "org/three"}
    config = {
        "models": {
            "providers": {
                "mock": {"baseUrl": "http://x", "models": [one, {"name": "no id"}, "two", None]},
                "other": {"models": [three, {"id": 4}]},
                "empty": {},
                "odd": {"models": {"id": "x"}},
                "broken": "text",
            }
        }
    }

    assert models_of(config) == [
        ModelEntry("mock", "one", one),
        ModelEntry("other", "org/three", three),
        ModelEntry("other", "4", {"id": 4}),
    ]
    assert [model.key for model in models_of(config)] == ["mock/one", "other/org/three", "other/4"]
    assert list(providers_of(config)) == ["mock", "other", "empty", "odd"]


@pytest.mark.parametrize("config", [{}, {"models": {}}, {"models": {"providers": []}}, {"models": "x"}])
def test_without_providers_there_are_no_models(config: Config) -> None:
    assert providers_of(config) == {}
    assert models_of(config) == []


@pytest.mark.parametrize("layout", ["entries", "list"])
def test_all_models_that_the_file_refers_to_are_named(layout: str) -> None:
    roster: Any = {"bot_1": FULL, "bot_2": {"model": "own/model"}, "bot_3": {}}
    if layout == "list":
        roster = [{"id": name, **entry} for name, entry in roster.items()]
    defaults = {
        "model": {"primary": "default/one", "fallbacks": ["default/two", "", 5, None]},
        "models": {"aliased/one": {"alias": "fast"}},
    }

    assert named_models({"agents": {"defaults": defaults, layout: roster}}) == {
        "mock/one", "mock/two", "other/org/three", "own/model", "default/one", "default/two", "aliased/one",
    }  # fmt: skip


@pytest.mark.parametrize(
    "config", [{}, {"agents": {"defaults": {"model": {"fallbacks": "x"}, "models": []}}}]
)
def test_a_file_that_names_no_model_names_none(config: Config) -> None:
    assert named_models(config) == set()


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        ({"enabled": True}, True),
        ({"enabled": False}, False),
        ({"enabled": "yes"}, False),
        ({}, False),
        (5, False),
    ],
)
def test_chat_is_on_only_where_the_file_says_so(value: Any, *, enabled: bool) -> None:
    assert chat_enabled({"gateway": {"http": {"endpoints": {"chatCompletions": value}}}}) is enabled
    assert chat_enabled({}) is False


@pytest.mark.parametrize("layout", ["entries", "list"])
def test_prompts_of_heartbeats_are_those_that_the_file_has(layout: str) -> None:
    entries: dict[str, Any] = {
        "a": {"heartbeat": {"prompt": " Look at the mail.\n"}},
        "b": {"heartbeat": {"every": "1h", "prompt": "  "}},
        "c": {"heartbeat": "1h"},
    }
    agents = [{"id": name} | entry for name, entry in entries.items()] if layout == "list" else entries
    defaults = {"heartbeat": {"prompt": "Anything new?"}}

    found = heartbeat_prompts({"agents": {layout: agents, "defaults": defaults}})

    assert found == {"Look at the mail.", "Anything new?"}
    assert heartbeat_prompts({}) == set()


@pytest.mark.parametrize(
    ("auth", "token"),
    [
        ({"token": "t"}, "t"),
        ({"token": ""}, None),
        ({"token": {"source": "env"}}, None),
        ({}, None),
        ("t", None),
    ],
)
def test_the_token_is_a_plain_text_or_unknown(auth: Any, token: str | None) -> None:
    assert gateway_token({"gateway": {"auth": auth}}) == token


def test_a_section_is_an_object_whatever_the_file_holds() -> None:
    config = {"a": {"b": {"c": 1}}, "x": [1]}

    assert section(config, "a", "b") == {"c": 1}
    for path in (("a", "b", "c"), ("a", "missing", "c"), ("x",), ("x", "y")):
        assert section(config, *path) == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/panel", "/panel"),
        ("panel/", "/panel"),
        (" /a/b/ ", "/a/b"),
        ("/", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_panel_is_where_openclaw_makes_of_its_base_path(path: Any, expected: str) -> None:
    assert panel_base({"gateway": {"controlUi": {"basePath": path}}}) == expected
    assert panel_base({}) == ""
