"""Changes of providers and their models."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from buddy_common.config_diff import show_path
from buddy_common.errors import (
    BuddyError,
    GatewayConfigError,
    InUseError,
    InvalidRequestError,
    NoSuchModelError,
    UnknownModelError,
    UnknownProviderError,
)
from buddy_worker.edits.model_names import resolve_model
from buddy_worker.edits.models import (
    delete_model,
    delete_provider,
    set_default,
    set_model,
    set_provider,
)

Config = dict[str, Any]
SECRET = "sk-0123456789abcd"


def every(*changes: Callable[[Config], object]) -> tuple[Callable[[Config], object], ...]:
    return changes


def config() -> Config:
    return {
        "models": {
            "mode": "merge",
            "providers": {
                "x": {
                    "baseUrl": "https://x.example/v1",
                    "apiKey": SECRET,
                    "headers": {"X-Org": "a-secret-header"},
                    "models": [{"id": "one", "name": "One"}, {"id": "meta/two:free", "name": "Two"}],
                },
                "y": {"baseUrl": "https://y.example/v1", "models": [{"id": "one", "name": "One"}]},
            },
        },
        "agents": {"defaults": {"model": {"primary": "x/one", "fallbacks": ["y/one"]}}},
    }


def x(made: Config) -> Config:
    found: Config = made["models"]["providers"]["x"]
    return found


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("x/one", "x/one"),
        ("meta/two:free", "x/meta/two:free"),
        ("x/meta/two:free", "x/meta/two:free"),
        ("anthropic/claude", "anthropic/claude"),
    ],
)
def test_a_model_is_found_by_its_key_or_by_an_id_that_is_one_provider_s(given: str, meant: str) -> None:
    assert resolve_model(config(), given, known={"anthropic/claude"}) == meant


def test_an_id_that_several_providers_have_is_refused_with_both() -> None:
    with pytest.raises(UnknownModelError, match="say which") as caught:
        resolve_model(config(), "one", known=())
    assert caught.value.detail["candidates"] == ["x/one", "y/one"]


@pytest.mark.parametrize("model", ["nope", "x/nope", "x/one/", "one/", "meta", "__proto__", ""])
def test_a_model_that_nobody_has_is_refused(model: str) -> None:
    with pytest.raises(UnknownModelError):
        resolve_model(config(), model, known=())


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


def test_what_something_refers_to_does_not_go() -> None:
    changes = every(
        lambda made: delete_model(made, "x", "one"),
        lambda made: delete_provider(made, "x"),
        lambda made: delete_provider(made, "y"),
    )
    primary, fallback = "agents.defaults.model.primary", 'agents.defaults.model.fallbacks["0"]'
    for change, paths in zip(changes, ([primary], [primary], [fallback]), strict=True):
        made = config()
        with pytest.raises(InUseError) as caught:
            change(made)
        assert caught.value.detail["references"] == paths
        assert made == config()


def test_a_provider_goes_from_the_list_of_what_may_be_chosen_too() -> None:
    made = config()
    made["agents"]["defaults"] = {"models": {"x/one": {"alias": "a"}, "y/one": {}, "xx/one": {}}}

    delete_provider(made, "x")

    assert list(made["models"]["providers"]) == ["y"]
    assert made["agents"]["defaults"]["models"] == {"y/one": {}, "xx/one": {}}


def test_a_provider_whose_name_another_begins_with_goes_alone() -> None:
    made = config()
    made["agents"]["defaults"]["model"] = "xx/one"

    delete_provider(made, "x")

    assert "x" not in made["models"]["providers"]


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


def put(made: Config, path: str, value: Any) -> None:
    *holders, last = path.split("/")
    for key in holders:
        made = made.setdefault(key, {})
    made[last] = value


def unused(alias: str | None = None) -> Config:
    """Return a config that refers to no model, with one that may be chosen."""
    made = config()
    made["models"]["providers"]["z"] = {"models": [{"id": "deep-1"}, {"id": "org/deep-2"}]}
    settings: Config = {} if alias is None else {"alias": alias}
    made["agents"] = {"defaults": {"models": {"z/deep-1": settings, "z/org/deep-2": {}, "y/one": {}}}}
    return made


REFERENCES: list[tuple[str, Any]] = [
    ("agents/entries/b/model", "deep"),  # by its alias
    ("agents/entries/b/model", " Deep "),
    ("agents/entries/b/model", "deep@work"),
    ("agents/entries/b/model/primary", "deep-1"),  # by its id alone
    ("agents/entries/b/model", "Z/deep-1"),
    ("agents/entries/b/model", "z/deep-1@work"),
    ("agents/entries/models/utilityModel", "deep"),
    ("agents/entries/b/heartbeat/model", "deep-1"),
    ("agents/defaults/imageModel", "deep"),
    ("agents/defaults/mediaModels/image/primary", "deep"),
    ("agents/defaults/compaction/model", "deep"),
    ("channels/modelByChannel/telegram/1", "deep"),
    ("hooks/gmail/model", "deep"),
    ("talk/realtime", {"provider": "z", "model": "deep-1"}),
    ("memory/search", {"provider": "z", "model": "deep-1"}),
]


@pytest.mark.parametrize(("path", "value"), REFERENCES)
def test_what_is_referred_to_by_any_of_its_names_does_not_go(path: str, value: Any) -> None:
    for change in every(
        lambda made: delete_model(made, "z", "deep-1"), lambda made: delete_provider(made, "z")
    ):
        made = unused(alias="deep")
        put(made, path, value)
        before = deepcopy(made)

        with pytest.raises(InUseError) as caught:
            change(made)

        references = caught.value.detail["references"]
        assert references
        assert all(name.startswith(show_path(tuple(path.split("/")))) for name in references)
        assert made == before


@pytest.mark.parametrize(
    ("path", "value", "reference"),
    [
        (
            "agents/list",
            [{"id": "b", "model": {"fallbacks": ["deep"]}}],
            'agents.list["0"].model.fallbacks["0"]',
        ),
        (
            "agents/list",
            [{"id": "b", "modelPolicy": {"allow": ["z/*"]}}],
            'agents.list["0"].modelPolicy.allow["0"]',
        ),
        ("tools/media/models", [{"provider": "z", "model": "none"}], 'tools.media.models["0"].provider'),
        ("agents/defaults/memorySearch", {"provider": "z"}, "agents.defaults.memorySearch.provider"),
        ("memory/search", {"provider": "x", "fallback": "z"}, "memory.search.fallback"),
        ("agents/entries/b/model", "org/deep-2", "agents.entries.b.model"),
    ],
)
def test_a_provider_that_something_refers_to_in_its_own_way_does_not_go(
    path: str, value: Any, reference: str
) -> None:
    made = unused(alias="deep")
    put(made, path, value)
    before = deepcopy(made)

    with pytest.raises(InUseError) as caught:
        delete_provider(made, "z")

    assert caught.value.detail["references"] == [reference]
    assert made == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("agents/entries/model-1/name", "deep"),  # a name of something else
        ("agents/entries/b/models", {"y/one": {"alias": "deep-1"}}),
        ("tools/media/models", [{"provider": "y", "model": "deep-1"}]),  # another's
        ("agents/entries/b/model", "y/deep-1"),
        ("auth/profiles/z:default", {"provider": "z", "mode": "api_key"}),
        ("tools/web/search/provider", "z"),  # a namespace of its own
        ("gateway/auth/token", {"source": "env", "provider": "z", "id": "deep-1"}),
    ],
)
def test_what_only_looks_like_a_reference_keeps_nothing(path: str, value: Any) -> None:
    made = unused(alias="deep")
    put(made, path, value)

    delete_provider(made, "z")

    assert "z" not in made["models"]["providers"]
    assert made["agents"]["defaults"]["models"] == {"y/one": {}}


def test_an_alias_of_another_model_is_not_the_id_that_it_looks_like() -> None:
    made = unused()
    made["agents"]["defaults"]["models"]["y/one"] = {"alias": "deep-1"}
    made["agents"]["defaults"]["model"] = "deep-1"

    delete_model(made, "z", "deep-1")

    assert made["agents"]["defaults"]["models"] == {"z/org/deep-2": {}, "y/one": {"alias": "deep-1"}}


def test_a_model_is_found_by_its_alias_and_an_alias_that_is_another_s_id_is_refused_with_both() -> None:
    made = unused(alias="Deep")
    assert resolve_model(made, "deep", known=()) == "z/deep-1"
    made["agents"]["defaults"]["models"]["y/one"] = {"alias": "deep-1"}

    with pytest.raises(UnknownModelError) as caught:
        resolve_model(made, "deep-1", known=())

    assert caught.value.detail["candidates"] == ["z/deep-1", "y/one"]


def test_a_name_without_provider_that_stands_in_the_file_is_no_model_for_that() -> None:
    made = config()
    made["agents"]["entries"] = {"b": {"model": "gpt-nothing"}, "c": {"model": "anthropic/claude"}}

    assert resolve_model(made, "anthropic/claude", known=()) == "anthropic/claude"
    with pytest.raises(UnknownModelError):
        resolve_model(made, "gpt-nothing", known=())
