"""Changes of providers and their models."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.errors import (
    BuddyError,
    GatewayConfigError,
    InUseError,
    InvalidRequestError,
    NoSuchModelError,
    UnknownProviderError,
)
from buddy_worker.edits.models import delete_model, delete_provider, set_default, set_model, set_provider
from worker.edits.models_config import SECRET, Config, config, every, x


@pytest.mark.parametrize("before", [{}, {"models": {}}, {"models": {"providers": {}}}])
def test_a_new_provider_has_a_list_of_models(before: Config) -> None:
    set_provider(before, "z", {"baseUrl": "https://z.example", "apiKey": "new"})

    assert before["models"]["providers"] == {
        "z": {"baseUrl": "https://z.example", "apiKey": "new", "models": []}
    }


def test_of_a_provider_the_given_fields_change_and_null_takes_one_away() -> None:
    made = config()

    set_provider(made, "x", {"apiKey": None, "api": "openai-completions", "headers": {"X-New": "n"}})

    assert x(made) == {
        "baseUrl": "https://x.example/v1",
        "headers": {"X-New": "n"},
        "models": config()["models"]["providers"]["x"]["models"],
        "api": "openai-completions",
    }


def test_no_null_is_written() -> None:
    made = config()

    set_provider(made, "x", {"headers": {"X-Org": None, "deep": {"a": None}}})
    set_model(made, "x", "one", {"cost": {"input": None, "output": 1}, "gone": None})

    assert x(made)["headers"] == {"deep": {}}
    assert x(made)["models"][0]["cost"] == {"output": 1}
    assert "gone" not in x(made)["models"][0]


def test_masked_secrets_mean_those_that_are_there() -> None:
    made = config()

    set_provider(made, "x", {"apiKey": "sk-…abcd", "headers": {"X-Org": "a-s…ader"}, "baseUrl": "https://n"})

    assert x(made)["apiKey"] == SECRET
    assert x(made)["headers"] == {"X-Org": "a-secret-header"}
    assert x(made)["baseUrl"] == "https://n"


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("z", {"apiKey": "sk-…abcd"}),
        ("y", {"apiKey": "sk-…abcd"}),
        ("x", {"apiKey": "sk-…9999"}),
        ("x", {"models": [{"id": "one", "headers": {"a": "…"}}]}),
    ],
)
def test_the_mask_of_another_provider_s_secret_is_refused(provider: str, fields: Config) -> None:
    with pytest.raises(InvalidRequestError):
        set_provider(config(), provider, fields)


def test_a_model_is_added_with_a_name_or_changed_where_it_stands() -> None:
    made = config()

    set_model(made, "x", "three", {"contextWindow": 1})
    set_model(made, "x", "one", {"name": "Eins", "id": "other"})

    assert [row["id"] for row in x(made)["models"]] == ["one", "meta/two:free", "three"]
    assert x(made)["models"][0]["name"] == "Eins"
    assert x(made)["models"][2] == {"id": "three", "name": "three", "contextWindow": 1}


def test_a_provider_without_models_gets_a_list_with_the_first() -> None:
    made = config()
    del x(made)["models"]

    set_model(made, "x", "three", {})

    assert x(made)["models"] == [{"id": "three", "name": "three"}]


def test_a_provider_that_nobody_has_is_refused_with_those_that_are_there() -> None:
    for change in every(
        lambda made: set_model(made, "z", "one", {}),
        lambda made: delete_model(made, "z", "one"),
        lambda made: delete_provider(made, "z"),
    ):
        with pytest.raises(UnknownProviderError) as caught:
            change(config())
        assert caught.value.detail["known"] == ["x", "y"]


def test_a_model_goes_and_the_others_stay() -> None:
    made = config()

    delete_model(made, "x", "meta/two:free")

    assert [row["id"] for row in x(made)["models"]] == ["one"]
    assert made["models"]["providers"]["y"] == config()["models"]["providers"]["y"]


@pytest.mark.parametrize("model", ["three", "one/", "meta", "x/one"])
def test_a_model_that_its_provider_has_not_is_refused(model: str) -> None:
    with pytest.raises(NoSuchModelError):
        delete_model(config(), "x", model)


def test_the_default_changes_and_its_fallbacks_stay() -> None:
    made = config()

    set_default(made, "meta/two:free", known=())

    assert made["agents"]["defaults"]["model"] == {"primary": "x/meta/two:free", "fallbacks": ["y/one"]}


@pytest.mark.parametrize("before", [{}, {"agents": {}}, {"agents": {"defaults": {"model": "a/b"}}}])
def test_the_default_is_set_where_there_was_none(before: Config) -> None:
    set_default(before, "a/c", known={"a/c"})

    assert before["agents"]["defaults"]["model"] == {"primary": "a/c"}


def test_the_default_goes_on_the_list_of_what_may_be_chosen() -> None:
    made = config()
    made["agents"]["defaults"]["models"] = {"y/one": {}}

    set_default(made, "x/one", known=())

    assert made["agents"]["defaults"]["models"] == {"y/one": {}, "x/one": {}}


BROKEN: list[Any] = [[], "x", 5, None, True, [None], ["x"], [[]], {"a": []}]


@pytest.mark.parametrize("value", BROKEN, ids=str)
@pytest.mark.parametrize(
    "path",
    [
        ("models",),
        ("models", "providers"),
        ("models", "providers", "x"),
        ("models", "providers", "x", "models"),
        ("agents",),
        ("agents", "defaults"),
        ("agents", "defaults", "model"),
        ("agents", "defaults", "models"),
        ("agents", "list"),
    ],
    ids=".".join,
)
def test_a_broken_config_is_refused_or_left_to_openclaw_and_never_written_over(
    path: tuple[str, ...], value: Any
) -> None:
    for change in every(
        lambda made: set_provider(made, "x", {"api": "y"}),
        lambda made: set_model(made, "x", "three", {"name": "y"}),
        lambda made: delete_model(made, "x", "meta/two:free"),
        lambda made: delete_provider(made, "x"),
        lambda made: set_default(made, "anthropic/claude", known={"anthropic/claude"}),
    ):
        made = config()
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = deepcopy(value)
        try:
            change(made)
        except BuddyError as exc:
            expected = GatewayConfigError | UnknownProviderError | NoSuchModelError | InUseError
            assert isinstance(exc, expected)  # noqa: PT017 - or none
