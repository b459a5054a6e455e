"""What a client may hand on into `openclaw.json`, where OpenClaw's own schema is still to judge it."""

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_DEPTH = 32  # OpenClaw's schema goes half as deep
MAX_VALUES = 20_000  # a provider of 1000 models has as many
MAX_CHARACTERS = 65_536  # of one text
# a client would read any file with the first; the others are never keys of an object in JavaScript
_REFUSED_KEYS = frozenset({"$include", "__proto__", "constructor", "prototype"})
_LAST_WHOLE_NUMBER = 2**53 - 1  # JavaScript has none beyond that it can tell from the next
_WEB_ADDRESS = re.compile(r"(?:https?://|\$\{[A-Za-z_][A-Za-z0-9_]*\})[^\s\x00-\x20\x7f]*")


def require_fit(value: Any) -> Any:
    """Check a JSON value and return it; level by level, so that no depth of it can exhaust the stack.

    Raises:
        ValueError: it holds what no client may write; the message says where.
    """
    level, count = [("", value)], 0
    for _ in range(MAX_DEPTH):
        count += len(level)
        if count > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES} values")
        for place, item in level:
            _check(place, item)
        level = [below for place, item in level for below in _below(place, item)]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _below(place: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{place}.{name}".removeprefix("."), item) for name, item in value.items()]
    if isinstance(value, list):
        return [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    return []


def _check(place: str, value: Any) -> None:
    problem = None
    if isinstance(value, dict):
        problem = next(filter(None, map(_problem_of_key, value)), None)
        if problem is None and isinstance(value.get("baseUrl"), str):
            problem = _problem_of_address(value["baseUrl"])
    elif isinstance(value, str):
        problem = _problem_of_text(value)
    elif isinstance(value, int | float):
        problem = _problem_of_number(value)
    if problem is not None:
        raise ValueError(f"{place}: {problem}" if place else problem)


def _problem_of_key(name: Any) -> str | None:
    if name in _REFUSED_KEYS:
        return f"`{name}` is no key that a client may set"
    return _problem_of_text(name)


def _key(name: str) -> str:
    problem = _problem_of_key(name)
    if problem is not None:
        raise ValueError(problem)
    return name


def _problem_of_text(text: str) -> str | None:
    if len(text) > MAX_CHARACTERS:
        return f"a text has more than {MAX_CHARACTERS} characters"
    if "\x00" in text:
        return "a text holds NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a text holds half of a surrogate pair"
    return None


def _problem_of_number(number: float) -> str | None:
    readable = abs(number) <= _LAST_WHOLE_NUMBER if isinstance(number, int) else math.isfinite(number)
    return None if readable else "it is no number of JSON that OpenClaw could read"


def _problem_of_address(address: str) -> str | None:
    return None if _WEB_ADDRESS.fullmatch(address) else "baseUrl must begin with http:// or https://"


def _web_address(address: str) -> str:
    if not _WEB_ADDRESS.fullmatch(address):
        raise ValueError("it must begin with http:// or https://")
    return address


ConfigKey = Annotated[str, AfterValidator(_key)]
ConfigValue = Annotated[Any, AfterValidator(require_fit)]
ConfigObject = Annotated[dict[str, Any], AfterValidator(require_fit)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
