"""Secrets that can be told from everything else, and where they came out again, in whatever form."""

import base64
import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import redis

_CONTEXT = 60


@dataclass(frozen=True)
class Secret:
    """A value that must not be seen, and the files below the machine's folder that may have it."""

    name: str
    value: str
    files: tuple[str, ...] = ()

    @property
    def forms(self) -> dict[str, bytes]:
        """What the value looks like in a log, an address, a header or a document."""
        raw = self.value.encode()
        forms = {
            "plain": raw,
            "URL-encoded": quote(self.value, safe="").encode(),
            "form-encoded": quote_plus(self.value).encode(),
            "JSON-escaped": json.dumps(self.value)[1:-1].encode(),
            "JSON-escaped twice": json.dumps(json.dumps(self.value)[1:-1])[1:-1].encode(),
            "hexadecimal": raw.hex().encode(),
        }
        for shift in range(3):  # wherever in a longer text it stood
            for kind, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
                whole = encode(b"\0" * shift + raw).rstrip(b"=")
                forms[f"{kind}+{shift}"] = whole[(0, 2, 3)[shift] : len(whole) - 2]
        return forms


def make_secret(name: str, *files: str, odd: bool = True) -> Secret:
    """Return a new one; `odd`: with characters that each form writes in another way."""
    body = secrets.token_hex(12)
    return Secret(name, f'pl"{body[:8]}/+&{body[8:]}=' if odd else f"pl{body}", files)


@dataclass
class Scan:
    """What was looked through, and what was found where it must not be."""

    planted: list[Secret]
    looked: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    expected: set[tuple[str, str]] = field(default_factory=set)

    @property
    def allowed(self) -> set[tuple[str, str]]:
        """What may be in which files; compared with what was there."""
        return {(secret.name, pattern) for secret in self.planted for pattern in secret.files}

    def look(self, kind: str, where: str, content: bytes) -> None:
        """Look through one thing."""
        self.looked[kind] = self.looked.get(kind, 0) + 1
        for secret in self.planted:
            for form, needle in secret.forms.items():
                at = content.find(needle)
                if at < 0:
                    continue
                pattern = _allowed(secret, where) if kind == "file" else None
                if pattern is not None:
                    self.expected.add((secret.name, pattern))
                    continue
                around = content[max(0, at - _CONTEXT) : at + len(needle) + _CONTEXT]
                self.found.append(f"{secret.name} ({form}) in {kind} {where}: …{around!r}…")

    def look_all(self, kind: str, things: Iterable[tuple[str, bytes]]) -> None:
        """Look through all of a kind."""
        for where, content in things:
            self.look(kind, where, content)


def _allowed(secret: Secret, where: str) -> str | None:
    return next((pattern for pattern in secret.files if fnmatch(where, pattern)), None)


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file: logs, outputs, databases, reports, backups, and what was deleted in databases."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                yield str(path.relative_to(folder)), path.read_bytes()
            except FileNotFoundError:
                continue


def rows_of(database: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table of SQLite's file."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            for number, row in enumerate(connection.execute(f'SELECT * FROM "{table}"')):  # noqa: S608 - its own names
                yield f"{table} {number}", b"\n".join(_bytes(value) for value in row)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def keys_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every key of the broker with its value, whatever its type."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1000):
            kind = client.type(key).decode()
            yield f"{kind} {key!r}", b"\n".join((key, *_parts(_value(client, kind, key))))


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _parts(item)
    else:
        yield _bytes(value)


def _value(client: Any, kind: str, key: bytes) -> object:
    read = {
        "string": ("get", ()),
        "list": ("lrange", (0, -1)),
        "set": ("smembers", ()),
        "zset": ("zrange", (0, -1)),
        "hash": ("hgetall", ()),
        "stream": ("xrange", ()),
    }
    name, arguments = read[kind]
    return getattr(client, name)(key, *arguments)
