"""What differs between two versions of `openclaw.json`: for people as a text, for machines by path.

No secret is in the answer. Texts are masked by parsing them, so one that is no JSON5 is not shown at all.
"""

import difflib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pyjson5
from pydantic import BaseModel

from buddy_common.secret_mask import mask_secrets

MAX_CHARACTERS = 1_000_000  # of a text; to compare longer ones takes the reader too long
_PLAIN_KEY = re.compile(r"[\w$-]+")
_PLAIN_ID = re.compile(r"[^\s\[\]\"]+")
_ABSENT = object()


class Change(BaseModel):
    """One place where the documents differ; `secret`: what is shown of it is not all of it."""

    path: str
    op: Literal["add", "remove", "replace"]
    old: Any = None
    new: Any = None
    secret: bool = False


class Stats(BaseModel):
    """How many places were added, removed and changed."""

    added: int = 0
    removed: int = 0
    changed: int = 0


class Comparison(BaseModel):
    """The difference between two texts; `problem` says why there is no more than `identical`."""

    identical: bool  # to the byte
    diff: str = ""  # of the parsed documents: comments and the order of keys are not in it
    stats: Stats = Stats()
    changes: list[Change] = []
    problem: str | None = None


class UnreadableTextError(ValueError):
    """A text cannot be parsed, so that its secrets cannot be masked."""


def compare(old_text: str, new_text: str, *, labels: tuple[str, str] = ("old", "new")) -> Comparison:
    """Return what differs, masked; an empty text is a file that is not there."""
    try:
        documents = [_parse(text) if text else _ABSENT for text in (old_text, new_text)]
        walk = _Walk()
        old, new = walk.pair("", *documents, *(_masked(document) for document in documents))
        before, after = _lines(old), _lines(new)
    except (UnreadableTextError, RecursionError) as exc:
        return Comparison(identical=old_text == new_text, problem=str(exc) or "It is nested too deeply.")
    ops = [change.op for change in walk.changes]
    return Comparison(
        identical=old_text == new_text,
        diff="\n".join(difflib.unified_diff(before, after, *labels, lineterm="")),
        stats=Stats(added=ops.count("add"), removed=ops.count("remove"), changed=ops.count("replace")),
        changes=walk.changes,
    )


def masked_text(text: str) -> str:
    """Return the document as indented JSON with its secrets masked, in the order of the file.

    Raises:
        UnreadableTextError: it is no JSON5.
    """
    try:
        return json.dumps(_masked(_parse(text)), indent=2, ensure_ascii=False)
    except RecursionError as exc:
        raise UnreadableTextError("It is nested too deeply.") from exc


def _parse(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise UnreadableTextError(f"It is longer than {MAX_CHARACTERS} characters.")
    try:
        return _plain(pyjson5.loads(text))
    except (pyjson5.Json5Exception, ValueError) as exc:  # its message may quote a secret
        raise UnreadableTextError(
            "It is not valid JSON5, so its secrets cannot be masked and its text is not shown."
        ) from exc


def _plain(value: Any) -> Any:
    """Return the value as any JSON can hold it: without NaN and Infinity."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _masked(document: Any) -> Any:
    return document if document is _ABSENT else mask_secrets(document)


def _lines(document: Any) -> list[str]:
    if document is _ABSENT:
        return []
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


@dataclass
class _Walk:
    """Goes through both documents and their masked copies at once, and collects what differs."""

    changes: list[Change] = field(default_factory=list)

    def pair(self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any) -> tuple[Any, Any]:
        """Compare two values; return them as the text shows them."""
        if isinstance(old, dict) and isinstance(new, dict):
            return self._objects(path, old, new, shown_old, shown_new)
        if _have_ids(old) and _have_ids(new) and (old or new):
            return self._rows(path, old, new, shown_old, shown_new)
        if isinstance(old, list) and isinstance(new, list):
            return self._arrays(path, old, new, shown_old, shown_new)
        return self._leaf(path, old, new, shown_old, shown_new)

    def _objects(
        self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        texts: dict[str, tuple[Any, Any]] = {}
        for key in dict.fromkeys((*old, *new)):
            texts[key] = self.pair(
                _join(path, key), *(side.get(key, _ABSENT) for side in (old, new, shown_old, shown_new))
            )
        return _there(texts, 0), _there(texts, 1)

    def _rows(
        self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any
    ) -> tuple[list[Any], list[Any]]:
        """Match rows by their id; another order of those that stay is a change of the array."""
        before, after, seen_before, seen_after = (
            {row["id"]: shown for row, shown in zip(rows, shown_rows, strict=True)}
            for rows, shown_rows in ((old, old), (new, new), (old, shown_old), (new, shown_new))
        )
        texts: dict[Any, tuple[Any, Any]] = {}
        for row_id in dict.fromkeys((*before, *after)):
            texts[row_id] = self.pair(
                f"{path}[id={_id_text(row_id)}]",
                *(side.get(row_id, _ABSENT) for side in (before, after, seen_before, seen_after)),
            )
        stay = [[row_id for row_id in rows if row_id in others] for rows, others in _both_ways(before, after)]
        if stay[0] != stay[1]:
            self.changes.append(Change(path=path, op="replace", old=stay[0], new=stay[1]))
        return [texts[row_id][0] for row_id in before], [texts[row_id][1] for row_id in after]

    def _arrays(
        self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any
    ) -> tuple[list[Any], list[Any]]:
        texts: dict[int, tuple[Any, Any]] = {}
        for index in range(max(len(old), len(new))):
            texts[index] = self.pair(
                f"{path}[{index}]", *(_at(side, index) for side in (old, new, shown_old, shown_new))
            )
        return [*_there(texts, 0).values()], [*_there(texts, 1).values()]

    def _leaf(self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any) -> tuple[Any, Any]:
        if old is _ABSENT or new is _ABSENT:
            return self._one_side(path, old, new, shown_old, shown_new)
        if repr(old) == repr(new):  # tells 1 from true
            return shown_old, shown_new
        secret = _differ(old, shown_old) or _differ(new, shown_new)
        self.changes.append(Change(path=path, op="replace", old=shown_old, new=shown_new, secret=secret))
        if not _differ(shown_old, shown_new):  # else the text would show nothing
            return shown_old, f"{shown_new} (another one)"
        return shown_old, shown_new

    def _one_side(self, path: str, old: Any, new: Any, shown_old: Any, shown_new: Any) -> tuple[Any, Any]:
        """Add or remove the leaves of a value that only one document has; an empty one is a leaf."""
        op: Literal["add", "remove"] = "add" if old is _ABSENT else "remove"
        value, shown = (new, shown_new) if old is _ABSENT else (old, shown_old)
        for leaf_path, leaf, shown_leaf in _leaves(path, value, shown):
            side = {"new" if op == "add" else "old": shown_leaf}
            self.changes.append(Change(path=leaf_path, op=op, secret=_differ(leaf, shown_leaf), **side))
        return shown_old, shown_new


def _leaves(path: str, value: Any, shown: Any) -> list[tuple[str, Any, Any]]:
    steps: list[tuple[str, Any, Any]] = []
    if isinstance(value, dict):
        steps = [(_join(path, key), item, shown[key]) for key, item in value.items()]
    elif isinstance(value, list):
        by_id = _have_ids(value)
        names = [_id_text(row["id"]) if by_id else str(index) for index, row in enumerate(value)]
        steps = [
            (f"{path}[id={name}]" if by_id else f"{path}[{name}]", item, shown_item)
            for name, item, shown_item in zip(names, value, shown, strict=True)
        ]
    if not steps:
        return [(path, value, shown)]
    return [leaf for step in steps for leaf in _leaves(*step)]


def _differ(one: Any, other: Any) -> bool:
    return repr(one) != repr(other)


def _have_ids(value: Any) -> bool:
    """Whether it is an array of objects, each with an id of its own."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return False
    ids = [row.get("id") for row in value]
    return all(isinstance(row_id, str) for row_id in ids) and len(set(ids)) == len(ids)


def _both_ways(one: Any, other: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (one, other), (other, one)


def _there(texts: dict[Any, tuple[Any, Any]], side: int) -> dict[Any, Any]:
    return {key: text[side] for key, text in texts.items() if text[side] is not _ABSENT}


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _ABSENT


def _join(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _id_text(row_id: str) -> str:
    return row_id if _PLAIN_ID.fullmatch(row_id) else json.dumps(row_id, ensure_ascii=False)
