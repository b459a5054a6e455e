"""What differs between two configs, and what turns one into the other."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.config_diff import (
    KeyChange,
    apply_change,
    changes_between,
    holds,
    merge_patch,
    replaced_arrays,
    show_path,
    shown_changes,
    value_at,
)

SECRET = "sk-0123456789abcd"

PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"a": 1}),
    ({"a": 1}, {}),
    ({"a": 1}, {"a": 2}),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}),
    ({"a": {"b": 1}}, {"a": 5}),
    ({"a": 5}, {"a": {"b": 1}}),
    ({"a": 5}, {"a": {}}),
    ({"a": [1, 2]}, {"a": [1]}),
    ({"a": [1]}, {"a": {"b": [2]}}),
    ({"a": {"b": [1], "c": {"d": [2]}}}, {}),
    ({"a": []}, {"a": {}}),
    ({"a.b": {"c d": 1}, "": 2}, {"a.b": {"c d": 2}, "": 3}),
    ({"a": True}, {"a": 1}),
    ({"a": 1}, {"a": 1.0}),
    ({"a": 0}, {"a": False}),
    ({"a": [True]}, {"a": [1]}),
    ({"a": [{"b": 1}]}, {"a": [{"b": True}]}),
    ({"a": None}, {}),
]


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_changes_turn_the_old_config_into_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    config = deepcopy(old)

    changes = changes_between(old, new)
    for change in changes:
        apply_change(config, change)

    assert changes_between(config, new) == []
    assert all(holds(new, change) for change in changes)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_merge_patch_does_the_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, merge_patch(changes_between(old, new))) == new


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_is_to_change_in_what_is_the_same(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert all(changes_between(config, deepcopy(config)) == [] for config in pair)


@pytest.mark.parametrize(
    ("old", "new"), [(True, 1), (0, False), (1, 1.0), ([True], [1]), ("1", 1), (None, 0)]
)
def test_values_of_two_types_differ_although_python_calls_them_equal(old: Any, new: Any) -> None:
    assert len(changes_between({"a": old}, {"a": new})) == 1


def test_a_change_goes_as_deep_as_it_can() -> None:
    changes = changes_between({"a": {"b": {"c": 1}, "x": 1}}, {"a": {"b": {"c": 2}, "x": 1}})

    assert changes == [KeyChange(("a", "b", "c"), 1, 2)]


def test_a_removal_holds_once_the_key_is_gone_and_null_is_no_removal() -> None:
    (removal,) = changes_between({"a": {"b": 1}}, {"a": {}})
    (null,) = changes_between({"a": {}}, {"a": {"b": None}})

    assert removal.is_removal
    assert holds({}, removal)
    assert holds({"a": {}}, removal)
    assert not holds({"a": {"b": None}}, removal)
    assert not null.is_removal
    assert holds({"a": {"b": None}}, null)
    assert not holds({"a": {}}, null)


def test_a_change_below_something_else_than_an_object_makes_the_object() -> None:
    config: dict[str, Any] = {"a": [1]}

    apply_change(config, KeyChange(("a", "b", "c"), None, 5))

    assert config == {"a": {"b": {"c": 5}}}


def test_nothing_is_at_a_path_through_a_list_or_a_text() -> None:
    nothing = value_at({}, ("a",))

    assert value_at({"a": [1]}, ("a", "0")) is nothing
    assert value_at({"a": "b"}, ("a", "b")) is nothing
    assert value_at({"a": {"b": 1}}, ("a", "b")) == 1


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": [1]}, {"a": "x"}, ["a"]),
        ({"a": [1]}, {}, ["a"]),
        ({"a": {"b": [1], "c": {"d": [2]}}}, {}, ["a.b", "a.c.d"]),
        ({"a": {"b": [1]}}, {"a": 5}, ["a.b"]),
        ({}, {"a": [1]}, []),
        ({"a": 5}, {"a": [1]}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, []),
    ],
)
def test_arrays_that_lose_entries_are_named(
    old: dict[str, Any], new: dict[str, Any], paths: list[str]
) -> None:
    assert replaced_arrays(changes_between(old, new)) == paths


def test_changes_are_shown_with_their_secrets_masked() -> None:
    old = {"models": {"providers": {"x": {"apiKey": SECRET}}}, "gone": {"token": SECRET}}
    new = {"models": {"providers": {"x": {"apiKey": "sk-abcdefghijklm"}}}, "list": [1]}

    shown = shown_changes(old, new)

    assert shown == [
        {"path": "models.providers.x.apiKey", "op": "replace", "old": "sk-…abcd", "new": "sk-…jklm"},
        {"path": "gone", "op": "remove", "old": {"token": "sk-…abcd"}, "new": None},
        {"path": "list", "op": "add", "old": None, "new": [1]},
    ]
    assert SECRET not in str(shown)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("a", "b"), "a.b"),
        (("models", "providers", "a b", "x"), 'models.providers["a b"].x'),
        (("1",), '["1"]'),
        (("a", "0"), 'a["0"]'),
        (("",), '[""]'),
        (("a.b", "c"), '["a.b"].c'),
    ],
)
def test_a_path_is_shown_as_people_write_it(path: tuple[str, ...], shown: str) -> None:
    assert show_path(path) == shown
