"""Secrets in text that nobody has parsed, such as a program's log: masked by what they look like.

Rather a hash too many is masked than a token too few. Each pattern goes over a text once: none repeats what
repeats, and what a label's value was is not looked at again.
"""

import re
from typing import Any

from buddy_common.address_mask import mask_addresses
from buddy_common.log import mask
from buddy_common.secret_names import is_count, is_secret_label
from buddy_common.secret_value import ELLIPSIS, mask_secret

# `apiKey: …`, `"token":"…"`, `--password=…`, `X-Api-Key: …`; `--token …`, `"--token", "…"`
_LABEL = re.compile(
    r"(?<![\w-])(?:([\w-]++)\\{0,8}[\"']?[ \t]*+[:=]>?[ \t]*+"
    r"|(--?[A-Za-z][\w-]*+)(?:[ \t]++|\\{0,8}[\"'],\s*+(?=\\{0,8}[\"'])))"
)
_QUOTED = re.compile(r"(\\{0,8}[\"'])(.*?)(?:(?<!\\)\1|$)", re.MULTILINE)
# what ends a sentence, an object or a call is no part of it, unless more follows
_BARE = re.compile(
    r"(?:\$\{[A-Za-z_]\w*\}|[^\s\"'&,;}\])]|[\"',;}\])](?![\s\"',;}\]):]|$)|&(?![\w.-]{1,64}=\S))+"
)
_REST = re.compile(r"(?:[^\n\"]|\"(?![,}\]]))+")
_HEADER_NAME = re.compile(r"(?i)(?:cookie|authorization)$")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|api-?key)[ \t]+")
_LOUD = re.compile(r"[A-Z][A-Z0-9_]*")
_MASKED = re.compile(rf"[^{ELLIPSIS}]{{0,3}}{ELLIPSIS}[^{ELLIPSIS}]{{0,4}}")  # as it is shown already
_SHORTEST = 6  # characters of a value without quotes; shorter ones are words and counts

_KNOWN = re.compile(
    r"\b(?:sk|pk|rk|xox[a-z]|gh[a-z]|glpat|hf|AKIA|AIza|eyJ|ntn|tvly|gsk)[-_]?[A-Za-z0-9_.\-]{12,}"
)
# long words of letters and digits; words that people write, paths and times are none
_LONG = re.compile(r"(?<![\w/.-])(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{24,}(?![\w/-])")
# the same for text in which names count: of skills and packages, and they have no digits mostly
_TOKEN = re.compile(
    r"\b(?:(?:sk|pk|rk|xox[a-z]|gh[a-z]|glpat|hf|ntn|tvly|gsk)[-_]|AKIA|AIza|eyJ)"
    r"(?=[A-Za-z_.\-]*\d)[A-Za-z0-9_.\-]{12,}"
)
# a bot's token is `123456789:AAF…`
_BOT = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{20,}")


def mask_text(text: str) -> str:
    """Return a text without what looks like a secret; of a long one, both ends stay."""
    text = _mask_labelled(mask(mask_addresses(text)))
    for pattern in (_BOT, _KNOWN, _LONG):
        text = pattern.sub(lambda found: mask_secret(found[0]), text)
    return text


def mask_output(text: str) -> str:
    """Return the same for what clients read and use: names, hashes and OpenClaw's own reasons stay whole."""
    text = _mask_labelled(mask(mask_addresses(text)), words=False)
    for pattern in (_BOT, _TOKEN):
        text = pattern.sub(lambda found: mask_secret(found[0]), text)
    return text


def mask_all(value: Any, *, name: str = "") -> Any:
    """Return a copy of a JSON value with each text in it masked, whole where its name tells of a secret."""
    if isinstance(value, str):
        return mask_secret(value) if is_secret_label(name) else mask_text(value)
    if isinstance(value, list):
        return [mask_all(item, name=name) for item in value]
    if isinstance(value, dict):
        return {key: mask_all(item, name=key) for key, item in value.items()}
    return value


def _mask_labelled(text: str, *, words: bool = True) -> str:
    """Mask the values of labels; without `words`, none that is a word after a colon, or masked."""
    parts, done, at = [], 0, 0
    while (found := _LABEL.search(text, at)) is not None:
        at = found.end()
        if not is_secret_label(found[1] or found[2]):
            continue
        value = _value_after(text, found)
        if value is not None and (words or _is_secret_in_output(text, value, label=found)):
            start, end, shown = value
            parts += [text[done:start], shown]
            done = at = end
    return "".join((*parts, text[done:]))


def _is_secret_in_output(text: str, value: tuple[int, int, str], *, label: re.Match[str]) -> bool:
    said = text[value[0] : value[1]]
    if _MASKED.fullmatch(said):
        return False
    return text[label.end() - 1] == "=" or not said.isalpha()


def _value_after(text: str, label: re.Match[str]) -> tuple[int, int, str] | None:
    """Return where a label's value begins and ends, and what to show of it."""
    name, at = label[1] or label[2], label.end()
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        return *quoted.span(2), _shown(name, quoted[2])
    if _HEADER_NAME.search(name) and label[1]:
        return _header_after(text, label)
    bare = _BARE.match(text, at)
    if bare is None or bare[0].startswith(("{", "[")) or is_count(name, bare[0]):
        return None
    loud = text[at - 1] == "=" and _LOUD.fullmatch(name)
    if not loud and (len(bare[0]) < _SHORTEST or (label[2] and bare[0].isalpha())):
        return None
    return *bare.span(), mask_secret(bare[0])


def _header_after(text: str, label: re.Match[str]) -> tuple[int, int, str] | None:
    """Return the same of a header without quotes: to the end of its line, or of the quotes around both."""
    start = label.end()
    before = text[label.start() - 1 : label.start()]
    scheme = _SCHEME.match(text, start)
    if scheme is not None:
        rest = _BARE.match(text, scheme.end())
    elif before in ("'", '"') and '"' not in label[0] and "'" not in label[0]:
        rest = re.compile(rf"[^\n{before}]+").match(text, start)
    else:
        rest = _REST.match(text, start)
    if rest is None or rest[0].lstrip().startswith(("{", "[")):
        return None
    shown = ELLIPSIS if scheme is None else mask_secret(rest[0])
    return *rest.span(), shown


def _shown(name: str, value: str) -> str:
    if is_count(name, value):
        return value
    if not _HEADER_NAME.search(name):
        return mask_secret(value)
    scheme = _SCHEME.match(value)
    if scheme is not None:
        return scheme[0] + mask_secret(value[scheme.end() :])
    return ELLIPSIS if mask_secret(value) != value else value
