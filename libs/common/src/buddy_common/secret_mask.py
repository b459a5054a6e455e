"""Showing that a secret is there without showing it: `sk-…abcd`."""

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_SECRET_NAME = re.compile(
    r"(?i)(key|token|secret|password|passwd|passphrase|passcode|authorization|credential|cookie|bearer)s?$"
    r"|api[_-]?key"
    r"|((?<![a-z0-9])pat|(?-i:(?<=[a-z0-9])(Pat|PAT)))s?$"  # a word of its own: `compat` is none
)
# objects in which everything is, but what is named here
_SECRET_PLACE = re.compile(r"(?i)^(headers|auth)$")
_HEADERS = re.compile(r"(?i)^headers$")  # what is right in it has names that anybody may choose
_PLAIN_THERE = frozenset({"mode", "type", "headerName", "source", "provider", "id"})
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_OPTION = re.compile(r"(?i)(--[\w-]*(?:key|token|secret|password)[= ])(\S+)")  # of a command line
_SHOWN_FROM = 12  # characters; of a shorter one, three and four would be too much
_ELLIPSIS = "…"


def mask_secret(value: str) -> str:
    """Return the first three and the last four characters; a reference such as `${NAME}` as it is."""
    if not value or _REFERENCE.fullmatch(value):
        return value
    return f"{value[:3]}{_ELLIPSIS}{value[-4:]}" if len(value) >= _SHOWN_FROM else _ELLIPSIS


def mask_secrets(value: Any, *, secret: bool = False, headers: bool = False) -> Any:
    """Return a copy of a JSON value in which each text and number under a telling name is masked.

    Of an address, the password and the values of its query are; of an argument in a list, the secret after
    an option such as `--api-key=`. `headers`: the value is that of a key of this name.
    """
    if isinstance(value, dict):
        return {
            name: mask_secrets(
                item, secret=_is_secret(name, item, secret, headers), headers=_is_headers(name)
            )
            for name, item in value.items()
        }
    if isinstance(value, list):
        rows = value if secret else map(_mask_option, value)
        return [mask_secrets(item, secret=secret, headers=headers) for item in rows]
    if isinstance(value, bool) or value is None:
        return value
    if secret:
        return mask_secret(value) if isinstance(value, str) else _ELLIPSIS
    return _mask_address(value) if isinstance(value, str) and "://" in value else value


def restore_secrets(given: Any, known: Any) -> Any:
    """Return a copy of `given` in which each mask of a secret that `known` has is that secret again."""
    return _restored(given, known, mask_secrets(known))


def masks_in(value: Any, *, name: str = "", secret: bool = False, headers: bool = False) -> list[str]:
    """Return the names under which a mask stands where a secret should be."""
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            for found in masks_in(
                item, name=key, secret=_is_secret(key, item, secret, headers), headers=_is_headers(key)
            )
        ]
    if isinstance(value, list):
        return [
            found
            for row in value
            for found in masks_in(row, name=name, secret=secret or _is_masked_option(row), headers=headers)
        ]
    hidden = isinstance(value, str) and _ELLIPSIS in value and (secret or _is_masked_address(value))
    return [name] if hidden else []


def _restored(given: Any, known: Any, masked: Any) -> Any:
    if isinstance(given, dict):
        below, shown = (value if isinstance(value, dict) else {} for value in (known, masked))
        return {name: _restored(item, below.get(name), shown.get(name)) for name, item in given.items()}
    if isinstance(given, list):
        return [_restored(item, *_same_row(item, index, known, masked)) for index, item in enumerate(given)]
    return known if known is not None and given != known and given == masked else given


def _same_row(item: Any, index: int, known: Any, masked: Any) -> tuple[Any, Any]:
    """Return the row that an item of an array stands for: the one of its id, else of its place."""
    if not (isinstance(known, list) and isinstance(masked, list)):
        return None, None
    if isinstance(item, dict) and "id" in item:
        same = _rows_of_id(known, item["id"]) or _rows_of_id(masked, item["id"])
        if index not in same:
            index = same[0] if len(same) == 1 else len(known)
    return (known[index], masked[index]) if index < len(known) else (None, None)


def _rows_of_id(rows: list[Any], wanted: Any) -> list[int]:
    return [index for index, row in enumerate(rows) if isinstance(row, dict) and row.get("id") == wanted]


def _is_headers(name: str) -> bool:
    return _HEADERS.match(name) is not None


def _is_secret(name: str, value: Any, inherited: bool, headers: bool) -> bool:  # noqa: FBT001 - private
    if headers:
        return True
    counts = isinstance(value, int | float) and name.lower().endswith("tokens")  # of a model's context
    if name in _PLAIN_THERE or counts:
        return False
    return inherited or _SECRET_NAME.search(name) is not None or _SECRET_PLACE.match(name) is not None


def _mask_option(item: Any) -> Any:
    if not isinstance(item, str):
        return item
    return _OPTION.sub(lambda found: found[1] + mask_secret(found[2]), item)


def _is_masked_option(item: Any) -> bool:
    return isinstance(item, str) and any(_ELLIPSIS in found[2] for found in _OPTION.finditer(item))


def _mask_address(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        return value
    host = f"{_ELLIPSIS}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    query = re.sub(r"=[^&]+", f"={_ELLIPSIS}", parts.query)
    return urlunsplit((parts.scheme, host, parts.path, query, parts.fragment))


def _is_masked_address(value: str) -> bool:
    return "://" in value and (f"//{_ELLIPSIS}@" in value or f"={_ELLIPSIS}" in value)
