"""Showing that a secret is there without showing it, and knowing it again when its mask comes back."""

import re
from dataclasses import dataclass
from typing import Any

from buddy_common.address_mask import is_masked_address, mask_addresses
from buddy_common.argument_mask import is_led, is_masked_argument, mask_argument
from buddy_common.secret_names import is_count, is_secret_name, is_secret_variable, is_webhook_name
from buddy_common.secret_value import ELLIPSIS, mask_secret

# objects in which everything is, but what is named here
_SECRET_PLACE = re.compile(r"(?i)^(headers|auth)$")
_HEADERS = re.compile(r"(?i)^headers$")  # what is right in it has names that anybody may choose
_PLAIN_THERE = frozenset({"mode", "type", "headerName", "source", "provider", "id"})
_ENV = re.compile(r"(?i)env|environment|env[_-]?vars")
_COMMAND = re.compile(r"(?i).*(command|cmd|args|arguments)")
_SWITCH = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1"})
_NO_LIST, _FIRST = object(), object()  # what stands before a value


@dataclass(frozen=True)
class _Place:
    """What is known of a value from the names above it."""

    name: str = ""
    secret: bool = False
    headers: bool = False
    env: bool = False
    webhook: bool = False

    def below(self, name: str, value: Any) -> "_Place":
        return _Place(
            name=name,
            secret=self._is_secret(name, value),
            headers=_HEADERS.match(name) is not None,
            env=self.env or _ENV.fullmatch(name) is not None,
            webhook=self.webhook or is_webhook_name(name),
        )

    def _is_secret(self, name: str, value: Any) -> bool:
        if self.headers:
            return True
        if name in _PLAIN_THERE or (isinstance(value, int | float) and is_count(name, value)):
            return False
        if self.secret or is_secret_name(name) or _SECRET_PLACE.match(name):
            return not (self.env and is_count(name, value))
        return self.env and is_secret_variable(name) and str(value).lower() not in _SWITCH

    @property
    def is_command(self) -> bool:
        return _COMMAND.fullmatch(self.name) is not None


def mask_secrets(value: Any) -> Any:
    """Return a copy of a JSON value in which each text and number under a telling name is masked.

    Of an address, the user and the values of its query are, and the path of a webhook; of arguments in a
    list, what follows an option such as `--api-key`.
    """
    return _masked(value, _Place())


def restore_secrets(given: Any, known: Any) -> Any:
    """Return a copy of `given` in which each mask of a secret that `known` has is that secret again."""
    return _restored(given, known, mask_secrets(known))


def masks_in(value: Any, known: Any = None) -> list[str]:
    """Return the names under which a mask stands where a secret should be, or one of `known` anywhere."""
    return _found(value, _Place(), masks=frozenset(_masks_of(known, mask_secrets(known))))


def _masked(value: Any, place: _Place, before: Any = _NO_LIST) -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, place.below(name, item)) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, place, lead) for item, lead in zip(value, [_FIRST, *value], strict=False)]
    if isinstance(value, bool) or value is None:
        return value
    if place.secret:
        return mask_secret(value) if isinstance(value, str) else ELLIPSIS
    shown = mask_argument(value, before) if before is not _NO_LIST or place.is_command else value
    if not isinstance(shown, str):
        return shown
    return mask_addresses(shown, webhook=place.webhook, every_value=True)


def _found(value: Any, place: _Place, *, masks: frozenset[str], before: Any = _NO_LIST) -> list[str]:
    if isinstance(value, dict):
        return [
            name for key, item in value.items() for name in _found(item, place.below(key, item), masks=masks)
        ]
    if isinstance(value, list):
        return [
            name
            for item, lead in zip(value, [_FIRST, *value], strict=False)
            for name in _found(item, place, masks=masks, before=lead)
        ]
    hidden = isinstance(value, str) and ELLIPSIS in value and _is_mask(value, place, masks, before)
    return [place.name] if hidden else []


def _is_mask(value: str, place: _Place, masks: frozenset[str], before: Any) -> bool:
    in_list = before is not _NO_LIST
    if place.secret or is_masked_address(value, webhook=place.webhook):
        return True
    if (in_list or place.is_command) and is_masked_argument(value, before):
        return True
    return value in masks and (in_list or value != ELLIPSIS)


def _masks_of(known: Any, masked: Any) -> set[str]:
    """Return the masks of all secrets."""
    if isinstance(known, dict):
        return set().union(*(_masks_of(item, masked[name]) for name, item in known.items()))
    if isinstance(known, list):
        return set().union(*map(_masks_of, known, masked))
    return {masked} if isinstance(masked, str) and masked != known else set()


def _restored(given: Any, known: Any, masked: Any) -> Any:
    if isinstance(given, dict):
        below, shown = (value if isinstance(value, dict) else {} for value in (known, masked))
        return {name: _restored(item, below.get(name), shown.get(name)) for name, item in given.items()}
    if isinstance(given, list):
        return [_restored(item, *_same_row(given, index, known, masked)) for index, item in enumerate(given)]
    return known if known is not None and given != known and given == masked else given


def _same_row(given: list[Any], index: int, known: Any, masked: Any) -> tuple[Any, Any]:
    """Return the row that an item of an array stands for: of its id, after its option, or of its place."""
    if not (isinstance(known, list) and isinstance(masked, list)):
        return None, None
    item = given[index]
    if isinstance(item, dict) and "id" in item:
        index = _one_of(_rows_of_id(known, item["id"]) or _rows_of_id(masked, item["id"]), index, len(known))
    elif isinstance(item, str) and (lead := _lead(given, index)) is not None:
        same = [at for at, shown in enumerate(masked) if shown == item and _lead(masked, at) == lead]
        index = _one_of(same, index, len(known))
    elif (
        isinstance(item, str) and _lead(masked, index) is not None
    ):  # the mask has lost the option that says whose it is
        return None, None
    return (known[index], masked[index]) if index < len(known) else (None, None)


def _one_of(rows: list[int], index: int, none: int) -> int:
    if index in rows:
        return index
    return rows[0] if len(rows) == 1 else none


def _lead(rows: list[Any], index: int) -> str | None:
    """Return the option that makes a secret of an argument."""
    before = rows[index - 1] if 0 < index <= len(rows) else None
    return before if is_led(before) else None


def _rows_of_id(rows: list[Any], wanted: Any) -> list[int]:
    return [index for index, row in enumerate(rows) if isinstance(row, dict) and row.get("id") == wanted]
