"""Changes of single bots."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from buddy_common.errors import (
    BuddyError,
    GatewayConfigError,
    InvalidRequestError,
    UnknownBotError,
    UnknownModelError,
)
from buddy_worker.edits.bots import new_entry, set_identity, set_model, update

Config = dict[str, Any]
SECRET = "sk-0123456789abcd"


def every(*changes: Callable[[Config], object]) -> tuple[Callable[[Config], object], ...]:
    return changes


def config() -> Config:
    return {
        "models": {"providers": {"x": {"models": [{"id": "one"}, {"id": "two/a"}]}}},
        "agents": {
            "defaults": {"models": {"x/one": {"alias": "1"}}},
            "entries": {
                "main": {},
                "a": {
                    "name": "A",
                    "identity": {"name": "A", "emoji": "🦞"},
                    "model": {"primary": "x/one", "fallbacks": ["x/two/a"]},
                    "tools": {"allow": ["x"], "exec": {"host": "y", "token": SECRET}},
                },
            },
        },
    }


def a(changed: Config) -> Config:
    found: Config = changed["agents"]["entries"]["a"]
    return found


def changed_by(**fields: Any) -> Config:
    """Return the bot's entry after an update."""
    made = config()
    update(made, "a", fields, is_new=True, known=())
    return a(made)


def test_a_new_bot_has_name_workspace_and_looks() -> None:
    made = config()

    entry = new_entry(made, name="B", emoji="🤖", model=None, workspace="/w", known=())

    assert entry == {"name": "B", "workspace": "/w", "identity": {"name": "B", "emoji": "🤖"}}
    assert made == config()


def test_the_model_of_a_new_bot_goes_on_the_list_of_those_that_may_be_chosen() -> None:
    made = config()

    entry = new_entry(made, name="B", emoji=None, model="two/a", workspace="/w", known=())

    assert entry["model"] == "x/two/a"
    assert made["agents"]["defaults"]["models"] == {"x/one": {"alias": "1"}, "x/two/a": {}}


def test_where_there_is_no_such_list_none_is_made() -> None:
    made = config()
    del made["agents"]["defaults"]

    set_model(made, "a", "x/one", is_new=True, known=())

    assert "defaults" not in made["agents"]


def test_the_looks_of_a_bot_change_and_the_rest_of_them_stays() -> None:
    made = config()

    set_identity(made, "a", {"name": "新名"}, is_new=True)

    assert a(made)["identity"] == {"name": "新名", "emoji": "🦞"}


def test_a_bot_gets_another_model_and_keeps_its_fallbacks() -> None:
    made = config()

    set_model(made, "a", "x/two/a", is_new=True, known=())
    set_model(made, "main", "x/one", is_new=True, known=())

    assert a(made)["model"] == {"primary": "x/two/a", "fallbacks": ["x/two/a"]}
    assert made["agents"]["entries"]["main"]["model"] == "x/one"


def test_a_model_that_openclaw_has_by_itself_can_be_chosen() -> None:
    made = config()

    set_model(made, "main", "anthropic/claude", is_new=True, known={"anthropic/claude"})

    assert made["agents"]["entries"]["main"]["model"] == "anthropic/claude"


@pytest.mark.parametrize("model", ["nope", "x/nope", "y/one", "two", "x", "x/"])
def test_a_model_that_nobody_has_is_refused(model: str) -> None:
    for change in every(
        lambda made: set_model(made, "a", model, is_new=True, known=()),
        lambda made: update(made, "a", {"model": model}, is_new=True, known=()),
        lambda made: new_entry(made, name="B", emoji=None, model=model, workspace="/w", known=()),
    ):
        with pytest.raises(UnknownModelError):
            change(config())


UNKNOWN: list[Config] = [
    {"model": {"primary": "gpt-nothing"}},
    {"model": {"primary": "x/one", "fallbacks": ["two/a", "gpt-nothing"]}},
    {"model": {"primary": ""}},
    {"decisionModel": "gpt-nothing"},
    {"utilityModel": "gpt-nothing"},
    {"heartbeat": {"model": "gpt-nothing"}},
    {"subagents": {"model": {"primary": "gpt-nothing"}}},
    {"tools": {"exec": {"reviewer": {"model": "gpt-nothing"}}}},
    {"tts": {"summaryModel": "gpt-nothing"}},
    {"modelPolicy": {"allow": ["gpt-nothing"]}},
    {"models": {"gpt-nothing": {}}},
]


@pytest.mark.parametrize("fields", UNKNOWN)
def test_a_model_that_nobody_has_is_refused_wherever_a_bot_names_one(fields: Config) -> None:
    with pytest.raises(UnknownModelError):
        changed_by(**fields)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"model": 5}, "model"),
        ({"model": {"primary": ["x/one"]}}, "model.primary"),
        ({"model": {"fallbacks": "x/one"}}, "model.fallbacks"),
        ({"modelPolicy": {"allow": [{}]}}, "modelPolicy.allow"),
    ],
)
def test_what_cannot_name_a_model_is_refused_by_its_place(fields: Config, place: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"config\.{place}: "):
        changed_by(**fields)


def test_several_that_can_be_meant_are_told_wherever_a_bot_names_one() -> None:
    made = config()
    made["models"]["providers"]["y"] = {"models": [{"id": "one"}]}

    with pytest.raises(UnknownModelError) as caught:
        update(made, "a", {"model": {"fallbacks": ["one"]}}, is_new=True, known=())

    assert caught.value.detail["candidates"] == ["x/one", "y/one"]


def test_models_are_written_with_their_providers_wherever_a_bot_names_one() -> None:
    made = config()
    fields = {
        "model": {"primary": "one", "fallbacks": ["two/a", "1"]},
        "utilityModel": "",
        "subagents": {"model": "two/a", "maxConcurrent": 2},
        "modelPolicy": {"allow": ["x/*", "two/a"]},
        "models": {"two/a": {"params": {}}, "gone": None},
    }

    update(made, "main", fields, is_new=True, known=())

    assert made["agents"]["entries"]["main"] == {
        "model": {"primary": "x/one", "fallbacks": ["x/two/a", "x/one"]},
        "utilityModel": "",
        "subagents": {"model": "x/two/a", "maxConcurrent": 2},
        "modelPolicy": {"allow": ["x/*", "x/two/a"]},
        "models": {"x/two/a": {"params": {}}},
    }
    assert made["agents"]["defaults"]["models"] == {"x/one": {"alias": "1"}, "x/two/a": {}}


def test_fallbacks_leave_a_bot_the_model_that_it_has() -> None:
    made = config()
    a(made)["model"] = "x/one"

    update(made, "a", {"model": {"fallbacks": ["two/a"]}}, is_new=True, known=())

    assert a(made)["model"] == {"primary": "x/one", "fallbacks": ["x/two/a"]}


def test_what_nobody_here_can_resolve_may_stay_where_it_stands() -> None:
    made = config()
    a(made)["model"] = "${BOT_MODEL}"

    update(made, "a", {"model": "${BOT_MODEL}"}, is_new=True, known=())
    assert a(made)["model"] == "${BOT_MODEL}"

    update(made, "a", {"model": {"fallbacks": ["two/a"]}}, is_new=True, known=())
    assert a(made)["model"] == {"primary": "${BOT_MODEL}", "fallbacks": ["x/two/a"]}

    with pytest.raises(UnknownModelError):
        update(made, "a", {"model": {"fallbacks": ["${ANOTHER}"]}}, is_new=True, known=())


def test_what_a_bot_has_is_taken_back_as_it_was_read() -> None:
    made = config()
    a(made)["utilityModel"] = "openai/mini"

    update(made, "a", {"utilityModel": "openai/mini", "model": None}, is_new=True, known=())

    assert a(made)["utilityModel"] == "openai/mini"
    assert "model" not in a(made)


def test_an_update_merges_objects_and_replaces_the_rest() -> None:
    entry = changed_by(tools={"allow": ["z"], "exec": {"host": None}}, skills=["s"], name="新名", emoji=None)

    assert entry["tools"] == {"allow": ["z"], "exec": {"token": SECRET}}
    assert entry["skills"] == ["s"]
    assert entry["identity"] == {"name": "新名"}


def test_null_takes_away_what_is_there_and_leaves_no_null() -> None:
    entry = changed_by(tools=None, gone=None, new={"a": None, "b": {"c": None}})

    assert "tools" not in entry
    assert "gone" not in entry
    assert entry["new"] == {"b": {}}


def test_an_object_takes_the_place_of_what_is_none_and_the_other_way_round() -> None:
    entry = changed_by(name={"x": 1}, tools="text")

    assert entry["tools"] == "text"
    assert entry["identity"]["name"] == {"x": 1}  # OpenClaw's to judge


def test_a_mask_means_the_secret_that_is_there() -> None:
    entry = changed_by(tools={"exec": {"token": "sk-…abcd", "host": "z"}})

    assert entry["tools"]["exec"] == {"host": "z", "token": SECRET}


def test_a_mask_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="token"):
        changed_by(tools={"exec": {"token": "sk-…9999"}})


@pytest.mark.parametrize("field", ["id", "agentDir", "default"])
@pytest.mark.parametrize("value", ["x", None, {}, True])
def test_what_a_bot_keeps_for_its_life_cannot_be_changed(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=rf"config\.{field}"):
        changed_by(**{field: value})


@pytest.mark.parametrize("is_new", [True, False])
def test_a_bot_that_is_not_there_cannot_be_changed(*, is_new: bool) -> None:
    for change in every(
        lambda made: update(made, "b", {"x": 1}, is_new=is_new, known=()),
        lambda made: set_identity(made, "b", {"name": "x"}, is_new=is_new),
        lambda made: set_model(made, "b", "x/one", is_new=is_new, known=()),
    ):
        with pytest.raises(UnknownBotError):
            change(config())


BROKEN: list[Any] = [[], "x", 5, None, True]


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize(
    "path",
    [
        ("agents",),
        ("agents", "entries"),
        ("agents", "list"),
        ("agents", "entries", "a"),
        ("agents", "defaults"),
        ("agents", "defaults", "models"),
        ("models",),
        ("models", "providers"),
        ("models", "providers", "x"),
        ("models", "providers", "x", "models"),
        ("agents", "entries", "a", "identity"),
        ("agents", "entries", "a", "model"),
    ],
    ids=".".join,
)
def test_a_broken_config_is_refused_or_left_to_openclaw(
    path: tuple[str, ...], value: Any, *, is_new: bool
) -> None:
    for change in every(
        lambda made: update(made, "a", {"name": "x", "model": "x/one", "y": {}}, is_new=is_new, known=()),
        lambda made: set_identity(made, "a", {"name": "x"}, is_new=is_new),
        lambda made: set_model(made, "a", "x/one", is_new=is_new, known=()),
        lambda made: new_entry(made, name="x", emoji=None, model="x/one", workspace="/w", known=()),
    ):
        made = config()
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = deepcopy(value)
        try:
            change(made)
        except BuddyError as exc:
            assert isinstance(exc, GatewayConfigError | UnknownBotError | UnknownModelError)  # noqa: PT017 - or none
