"""What a client may hand on into openclaw.json."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from buddy_common.schemas.config_values import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VALUES,
    ConfigKey,
    ConfigObject,
    WebAddress,
)


def nested(depth: int, *, in_lists: bool = False) -> dict[str, Any]:
    value: Any = {}
    for _ in range(depth - 2):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


def check(value: Any) -> Any:
    return TypeAdapter(ConfigObject).validate_python(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": None, "b": [1, 1.5, -3, True, "x\n\ty", "🦞"], "c": {"名": {}}},
        {"baseUrl": "http://127.0.0.1:8000/v1", "x": {"baseUrl": "${BASE_URL}/v1"}},
        {"baseUrl": None},
        {"include": "./x", "proto": 1},
        {"text": "$include"},
        {"n": 2**53 - 1, "m": -(2**53) + 1},
        {"text": "x" * MAX_CHARACTERS},
        {"many": [0] * (MAX_VALUES - 2)},
        nested(MAX_DEPTH),
        nested(MAX_DEPTH, in_lists=True),
    ],
    ids=lambda value: str(value)[:40],
)
def test_ordinary_json_is_taken_as_it_is(value: dict[str, Any]) -> None:
    assert check(value) == value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"$include": "./secrets.json5"}, r"`\$include` is no key"),
        ({"a": {"b": [{"$include": "/etc/passwd"}]}}, r"a\.b\[0\]: `\$include` is no key"),
        ({"__proto__": {"x": 1}}, "`__proto__` is no key"),
        ({"a": {"constructor": {"prototype": 1}}}, "a: `constructor` is no key"),
        ({"a": float("nan")}, "a: it is no number"),
        ({"a": [float("inf")]}, r"a\[0\]: it is no number"),
        ({"a": -float("inf")}, "a: it is no number"),
        ({"a": 2**53}, "a: it is no number"),
        ({"a": 10**400}, "a: it is no number"),
        ({"a": "x\x00"}, "a: a text holds NUL"),
        ({"a": {"x\x00": 1}}, "a: a text holds NUL"),
        ({"a": "\ud800"}, "a: a text holds half"),
        ({"a": {"\udfff": 1}}, "a: a text holds half"),
        ({"a": "x" * (MAX_CHARACTERS + 1)}, "a: a text has more than"),
        ({"a": [0] * MAX_VALUES}, "more than 20000 values"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        (nested(10_000), "nested deeper"),
        (nested(10_000, in_lists=True), "nested deeper"),
        ({"a": {"baseUrl": "file:///etc/passwd"}}, "a: baseUrl must begin"),
        ([], "dictionary"),
        ("x", "dictionary"),
        (None, "dictionary"),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, dict) else "value",
)
def test_what_no_client_may_write_is_refused_and_the_place_is_named(value: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        check(value)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://x",
        "//x",
        "x",
        "",
        "javascript:alert(1)",
        "https://a b",
        "http://a\n",
        "https:/x",
    ],
)
def test_an_address_that_is_none_of_the_web_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="http://"):
        TypeAdapter(WebAddress).validate_python(address)
    with pytest.raises(ValidationError, match="http://"):
        check({"x": [{"baseUrl": address}]})


@pytest.mark.parametrize("address", ["https://…@api.example.com/v1?key=…", "${URL}", "http://[::1]:8000"])
def test_an_address_may_be_masked_or_a_reference(address: str) -> None:
    assert TypeAdapter(WebAddress).validate_python(address) == address


@pytest.mark.parametrize("key", ["$include", "__proto__", "a\x00", "x" * (MAX_CHARACTERS + 1)])
def test_a_key_that_no_client_may_set_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ConfigKey).validate_python(key)
