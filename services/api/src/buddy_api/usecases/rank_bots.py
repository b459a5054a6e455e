"""Rank the bots by how often they were asked."""

import time
from typing import Any

from buddy_common.times import utc_text

_DAY_SECONDS = 86_400


def current_day() -> int:
    """Return the number of this day since 1970, UTC."""
    return int(time.time()) // _DAY_SECONDS


def rank_bots(rows: list[dict[str, Any]], *, days: int, today: int) -> list[dict[str, Any]]:
    """Return the bots, most asked first, with what they were asked in so many days, today included."""
    first_day = today - days + 1
    ranked = [
        {
            **{name: row[name] for name in ("id", "name", "emoji", "model")},
            "messages": _since(row["questions"], first_day),
            "sessions": _since(row["sessions"], first_day),
            "lastAskedAt": utc_text(row["lastAskedAt"]),
        }
        for row in rows
    ]
    return sorted(ranked, key=lambda row: (-row["messages"], -row["sessions"], row["id"]))


def _since(by_day: dict[str, int], first_day: int) -> int:
    return sum(count for day, count in by_day.items() if int(day) >= first_day)
