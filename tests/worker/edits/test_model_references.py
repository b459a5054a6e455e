"""A model or a provider that something refers to does not go."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.config_diff import show_path
from buddy_common.errors import InUseError
from buddy_worker.edits.models import delete_model, delete_provider
from worker.edits.models_config import config, every, put, unused


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
