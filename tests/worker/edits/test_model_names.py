"""By which names a model is found."""

import pytest

from buddy_common.errors import UnknownModelError
from buddy_worker.edits.model_names import resolve_model
from worker.edits.models_config import config, unused


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
