"""What is shown in the place of a secret: `sk-…abcd`."""

import re

ELLIPSIS = "…"
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_SEPARATOR = re.compile(r"[\s;,&:\"']|=(?!=|$)")
_SHOWN_FROM = 12  # characters; of a shorter one, three and four would be too much


def mask_secret(value: str) -> str:
    """Return the first three and the last four characters; a reference such as `${NAME}` as it is."""
    if not value or _REFERENCE.fullmatch(value):
        return value
    last = _SEPARATOR.split(value)[
        -1
    ]  # of `Bearer abcdef` and `a=b; sid=abcdef`, too, four would be too much
    return f"{value[:3]}{ELLIPSIS}{value[-4:]}" if len(last) >= _SHOWN_FROM else ELLIPSIS
