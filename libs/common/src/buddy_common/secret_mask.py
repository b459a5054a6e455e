"""Showing that a secret is there without showing it: `sk-…abcd`."""

import re
from typing import Any

_SECRET_NAME = re.compile(r"(?i)(key|token|secret|password|passwd|authorization|credential|cookie)s?$")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_SHOWN_FROM = 12  # characters; of a shorter one, three and four would be too much
_ELLIPSIS = "…"


def mask_secret(value: str) -> str:
    """Return the first three and the last four characters; a reference such as `${NAME}` as it is."""
    if not value or _REFERENCE.fullmatch(value):
        return value
    return f"{value[:3]}{_ELLIPSIS}{value[-4:]}" if len(value) >= _SHOWN_FROM else _ELLIPSIS


def mask_secrets(value: Any) -> Any:
    """Return a copy of a JSON value in which each text under a telling name is masked."""
    if isinstance(value, dict):
        return {name: _mask_field(name, item) for name, item in value.items()}
    return [mask_secrets(item) for item in value] if isinstance(value, list) else value


def _mask_field(name: str, value: Any) -> Any:
    return _mask_texts(value) if _SECRET_NAME.search(name) else mask_secrets(value)


def _mask_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_mask_texts(item) for item in value]
    return mask_secret(value) if isinstance(value, str) else mask_secrets(value)
