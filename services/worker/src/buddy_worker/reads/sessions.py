"""The sessions of all agents, newest first."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from buddy_common.adapters.transcripts import DATABASE, SESSIONS
from buddy_worker.reads.sources import Files, GatewayCalls, is_new_generation

log = structlog.get_logger(__name__)

PAGE = 1000
MAX_PAGES = 50
# after a boot the gateway opens every agent's database before it answers: 335 s for 500 agents on a machine
# with other work; who gives up and asks again only leaves it more to answer
ANSWER_SECONDS = 900.0
# what a list of sessions is for; the newer generation adds a kilobyte of options to each
FIELDS = (
    "key", "sessionId", "kind", "status", "channel", "label", "displayName", "derivedTitle", "subject",
    "updatedAt", "startedAt", "endedAt", "runtimeMs", "lastActivityAt", "lastInteractionAt",
    "modelProvider", "model", "contextTokens", "inputTokens", "outputTokens", "totalTokens",
    "totalTokensFresh", "estimatedCostUsd", "abortedLastRun", "hasActiveRun", "archived", "pinned",
    "spawnedBy",
)  # fmt: skip


async def read_sessions(gateway: GatewayCalls, files: Files) -> list[dict[str, Any]]:
    """Ask the gateway for all of them, page by page where it counts pages, archived ones too."""
    del files
    # the older generation does not page: with a limit it would leave out the rest; it archives nothing
    first: dict[str, Any] = {"limit": PAGE, "archived": "all"} if is_new_generation(gateway) else {}
    rows, offset = await _page(gateway, first)
    pages = 1
    while offset and pages < MAX_PAGES:
        found, offset = await _page(gateway, first | {"offset": offset})
        rows |= found  # one that is used meanwhile may be on two pages
        pages += 1
    if pages > 1:  # or on none: the newest come first, so it went past us to the first one
        rows |= (await _page(gateway, first))[0]
    return _sorted(_row(row) for row in rows.values())


async def _page(gateway: GatewayCalls, asked: dict[str, Any]) -> tuple[dict[Any, dict[str, Any]], int | None]:
    """Return a page by session key, and where the next one begins, if there is one."""
    page = await gateway.call("sessions.list", asked, seconds=ANSWER_SECONDS)
    found = {row.get("key"): row for row in page.get("sessions") or [] if isinstance(row, dict)}
    return found, page.get("nextOffset") if page.get("hasMore") and found else None


def sessions_of(files: Files) -> list[dict[str, Any]]:
    """Return what the stores on disk hold; they are opened read only."""
    rows: list[dict[str, Any]] = []
    for folder in sorted((files.state_dir / "agents").glob("*/")):
        database, store = folder / DATABASE, folder / SESSIONS / "sessions.json"
        found = _from_database(database) if database.exists() else _from_store(store)
        try:
            rows += [_row(entry | {"key": key}) for key, entry in found]
        except (OSError, sqlite3.Error) as exc:  # the other agents' sessions can still be told
            log.warning("sessions_unreadable", agent=folder.name, reason=str(exc))
    return _sorted(rows)


def agent_of(key: str) -> str:
    """Return the agent that a session key names, as in `agent:main:main`."""
    _, _, rest = key.partition("agent:")
    return rest.partition(":")[0] or "main"


def _row(row: dict[str, Any]) -> dict[str, Any]:
    key = str(row.get("key"))
    return {"agentId": row.get("agentId") or agent_of(key)} | {
        name: row[name] for name in FIELDS if name in row
    }


def _sorted(rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row.get("updatedAt") or 0, reverse=True)


def _from_database(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as database:
        query = "SELECT session_key, entry_json, updated_at FROM session_nodes"
        for key, text, updated_at in database.execute(query).fetchall():
            yield key, {"updatedAt": updated_at} | _object(text)


def _from_store(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if file.exists():
        yield from (
            (key, value) for key, value in _object(file.read_bytes()).items() if isinstance(value, dict)
        )


def _object(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object; OpenClaw keeps entries that it could not read itself, and goes on."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
