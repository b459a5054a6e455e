"""Secrets in text that nobody has parsed, such as a program's log: masked by what they look like.

Rather a hash too many is masked than a token too few.
"""

import re
from typing import Any

from buddy_common.log import mask
from buddy_common.secret_mask import mask_secret

# `apiKey: …`, `"token":"…"`, `--password=…`, `X-Api-Key: …`
_NAMED = re.compile(
    r"(?i)([\w-]*(?:api[_-]?key|token|secret|password|passwd|passphrase|credential|authorization|cookie)s?"
    r"[\"']?\s*[:=]\s*[\"']?(?:bearer\s+|basic\s+)?)([^\s\"',;}\])]{6,})"
)
_KNOWN = re.compile(
    r"\b(?:sk|pk|rk|xox[a-z]|gh[a-z]|glpat|hf|AKIA|AIza|eyJ|ntn|tvly|gsk)[-_]?[A-Za-z0-9_.\-]{12,}"
)
# long words of letters and digits; words that people write, paths and times are none
_LONG = re.compile(r"(?<![\w/.-])(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{24,}(?![\w/-])")
# a bot's token is `123456789:AAF…`
_BOT = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{20,}")


def mask_text(text: str) -> str:
    """Return a text without what looks like a secret; of a long one, both ends stay."""
    text = _NAMED.sub(lambda found: found[1] + mask_secret(found[2]), mask(text))
    for pattern in (_BOT, _KNOWN, _LONG):
        text = pattern.sub(lambda found: mask_secret(found[0]), text)
    return text


def mask_all(value: Any) -> Any:
    """Return a copy of a JSON value with each text in it masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, list):
        return [mask_all(item) for item in value]
    if isinstance(value, dict):
        return {key: mask_all(item) for key, item in value.items()}
    return value
