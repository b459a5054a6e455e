"""Which names say that a secret is under them: `apiKey`, `DB_PASS`, `--client-secret`."""

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
# long enough to be meant wherever they end a name
_ENDS = re.compile(
    r"(?i)(token|secret|password|passwd|passphrase|passcode|authorization|credential|cookie|bearer)s?$"
    r"|api[_-]?key|(connection[_-]?(string|url)|conn[_-]?str)s?$"
)
# short ones count as words of their own: `bypass`, `compat` and `compass` have none
_SHORT = frozenset({"pass", "pwd", "dsn", "pat", "pats"})
_KEY = re.compile(r"(?<!mon)(?<!tur)(?<!don)(?<!hoc)(?<!joc)(?<!whis)keys?$")
# a name from which anybody may read a key; of other keys, such as `sessionKey`, a log should tell
_SECRET_KEY = re.compile(
    r"(?i)(secret|private|access|encrypt|encryption|encoding|aes|sign|signing|shared|master|client|app|auth|account"
    r"|service|license|deploy|verify|verification|storage|subscription)[_-]?keys?$"
)
_LOUD_KEY = re.compile(r"[A-Z0-9_]+_KEYS?")
_ENV_WORDS = _SHORT | {
    "token", "tokens", "secret", "secrets", "password", "passwd", "passphrase", "passcode", "credential",
    "credentials", "cookie", "cookies", "key", "keys", "apikey", "authorization", "bearer", "header",
    "headers",
}  # fmt: skip
# `SSH_KEY_FILE`, `TOKEN_LIMIT`: what is said about a secret is none
_ABOUT = frozenset(
    {
        "file",
        "path",
        "dir",
        "directory",
        "limit",
        "length",
        "size",
        "count",
        "timeout",
        "ttl",
        "enabled",
        "id",
        "name",
    }
)


def is_secret_name(name: str) -> bool:
    """Whether what is under this name is a secret, wherever it stands."""
    return _ENDS.search(_plain(name)) is not None or _last(name) in _SHORT or bool(_KEY.search(_last(name)))


def is_secret_variable(name: str) -> bool:
    """Whether an environment variable of this name holds a secret: any word of it may say so."""
    words = _words(name)
    return is_secret_name(name) or (
        not _ENV_WORDS.isdisjoint(words) and words[-1] not in _ABOUT and not is_webhook_name(name)
    )


def is_secret_label(name: str) -> bool:
    """Whether a text that says `name: value` says a secret; it also speaks of keys that are none."""
    plain = _plain(name)
    if _ENDS.search(plain) or _last(name) in _SHORT:
        return True
    return _SECRET_KEY.search(plain) is not None or _LOUD_KEY.fullmatch(plain.lstrip("-")) is not None


def is_webhook_name(name: str) -> bool:
    """Whether an address under this name is as good as a password: whoever has it may post there."""
    return "webhook" in name.lower().replace("_", "").replace("-", "")


def is_count(name: str, value: object) -> bool:
    """Whether it says how many tokens a model may use."""
    number = isinstance(value, int | float) or (isinstance(value, str) and value.isdigit())
    return number and name.lower().endswith("tokens")


def _plain(name: str) -> str:
    return name.rstrip("0123456789_-")


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _last(name: str) -> str:
    """Return the last word; looked for from the end, as a name may be as long as a text."""
    words = _words(name[-64:])
    return words[-1] if words else ""
