"""How often each bot was asked, by day: what the ranking is made of."""

from collections import Counter
from typing import Any

from buddy_common.adapters.openclaw_config import agents_of, heartbeat_prompts
from buddy_common.adapters.transcripts import Asked
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.sources import Files

KEEP_DAYS = 90


def bots_top_of(files: Files) -> list[dict[str, Any]]:
    """Return for each bot its questions by day and its sessions by the day of their last question.

    Days are counted since 1970, UTC; a session belongs to a span of days when its last question does.
    """
    asked = files.transcripts.update(heartbeat_prompts(files.config))
    return [_row(bot, asked.get(bot["id"])) for bot in _bots(files)]


def _bots(files: Files) -> list[dict[str, Any]]:
    listed = (files.last.get(Resource.BOTS_MODELS) or {}).get("bots")
    return listed or [
        {
            "id": agent.id,
            "name": agent.name or agent.id,
            "emoji": agent.identity.get("emoji"),
            "model": agent.model,
        }
        for agent in agents_of(files.config)
    ]


def _row(bot: dict[str, Any], asked: Asked | None) -> dict[str, Any]:
    questions: Counter[int] = Counter()
    last_days: dict[str, int] = {}
    for (session, day), count in asked.questions.items() if asked else ():
        questions[day] += count
        last_days[session] = max(day, last_days.get(session, 0))
    return {
        **{name: bot.get(name) for name in ("id", "name", "emoji", "model")},
        "questions": dict(sorted(questions.items())),
        "sessions": dict(sorted(Counter(last_days.values()).items())),
        "lastAskedAt": asked.last_at or None if asked else None,
    }
