"""Secrets in arguments of a command line: after `--api-key`, in `DB_PASS=…`, in `-H "Authorization: …"`."""

import re
from collections.abc import Iterator
from typing import Any

from buddy_common.secret_names import is_count, is_secret_name, is_secret_variable
from buddy_common.secret_value import ELLIPSIS, mask_secret

_OPTION = re.compile(r"-[A-Za-z]|--?[A-Za-z][\w.-]*")
_FLAG = re.compile(r"-[A-Za-z]|--[A-Za-z][\w.-]*(?:=.*)?", re.DOTALL)  # no value of the option before it
_NAMED = re.compile(r"(?<![^\s\"'])(?:(--?[A-Za-z][\w.-]*+)(?:=|\s++)|([A-Za-z_][\w.-]*+)=)")
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
_WHOLE = re.compile(r"(?:\S|\s(?!-))+")  # up to the next option
_HEADER = re.compile(r"[\"']?[\w-]+[ \t]*[:=](?!//)[ \t]*(?:(?:bearer|basic|token)[ \t]+)?", re.IGNORECASE)

Span = tuple[int, int]


def mask_argument(item: Any, before: Any = None) -> Any:
    """Return an argument with its secrets masked; `before`: the argument that it follows."""
    if not isinstance(item, str):
        hidden = (
            before is not None and _takes_secret(before) and _is_number(item) and not is_count(before, item)
        )
        return ELLIPSIS if hidden else item
    parts, done = [], 0
    for start, end in _spans(item, before):
        parts += [item[done:start], mask_secret(item[start:end])]
        done = end
    return "".join((*parts, item[done:]))


def is_masked_argument(item: Any, before: Any = None) -> bool:
    """Whether a mask stands where a secret should be."""
    return isinstance(item, str) and any(ELLIPSIS in item[start:end] for start, end in _spans(item, before))


def is_led(before: Any) -> bool:
    """Whether the argument after this one is a secret."""
    return isinstance(before, str) and (_takes_secret(before) or _takes_header(before))


def _spans(item: str, before: Any) -> list[Span]:
    if is_led(before) and not _FLAG.fullmatch(item):
        return list(_of_option(before, item, 0, len(item)))
    return list(_inside(item))


def _inside(item: str) -> Iterator[Span]:
    at = 0
    while (found := _NAMED.search(item, at)) is not None:
        at = found.end()
        name = found[1] or found[2]
        if not (is_secret_name(name) if found[1] else is_secret_variable(name)) and not _takes_header(name):
            continue
        pattern = _WHOLE if found.start() == 0 and item[at - 1] == "=" else _VALUE
        value = pattern.match(item, at)
        if value is not None and not _FLAG.fullmatch(value[0]):
            yield from _of_option(name, item, *value.span())
            at = value.end()


def _of_option(option: str, item: str, start: int, end: int) -> Iterator[Span]:
    if _takes_header(option):
        header = _HEADER.match(item, start, end)
        if header is None:
            return
        start = header.end()
    elif is_count(option, item[start:end]):
        return
    elif item[start : start + 1] in ("'", '"'):
        start += 1
    if end > start and item[end - 1] in ("'", '"'):
        end -= 1
    if end > start:
        yield start, end


def _takes_secret(option: Any) -> bool:
    return isinstance(option, str) and _OPTION.fullmatch(option) is not None and is_secret_name(option)


def _takes_header(option: str) -> bool:
    name = option.lower().rstrip("s")
    return option == "-H" or (option.startswith("-") and name.endswith("header"))


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)
