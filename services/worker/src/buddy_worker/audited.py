"""What the audit keeps of a change: what was before, and what is now."""

import json
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

MAX_VALUE_CHARACTERS = 200


class Made(NamedTuple):
    """One thing that a job has changed; None: it was not there, or is not any more. No secrets."""

    what: str
    before: Any
    after: Any


class Audited(BaseModel):
    """The result of a job that tells the audit what it changed; clients read the result without that."""

    made: list[Made] = Field(default_factory=list, exclude=True)


def summary_of(result: BaseModel, dumped: dict[str, Any]) -> str | None:
    """Return what a job has changed, as `what: before → after`; None where it does not say."""
    made = result.made if isinstance(result, Audited) else made_of(dumped.get("changes"))
    return "; ".join(f"{row.what}: {_short(row.before)} → {_short(row.after)}" for row in made) or None


def made_of(changes: Any) -> list[Made]:
    """Return the same of the rows about a config, whose secrets are masked."""
    rows = changes if isinstance(changes, list) else []
    return [Made(row["path"], row["old"], row["new"]) for row in rows]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"
