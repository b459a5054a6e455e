"""How often each bot was asked, by day."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.transcripts import today
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.top import bots_top_of
from worker.reads.recorded import GENERATIONS, NEW, OLD, config_of, files_of

DAY_MS = 86_400_000
TODAY = today()
SCHEMA = (
    "CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL,"
    " event_json TEXT, event_zstd BLOB, created_at INTEGER NOT NULL)"
)
# agent -> session -> the days of its questions
ASKED = {
    "main": {"a": [TODAY - 2, TODAY - 2, TODAY - 1], "b": [TODAY - 2]},
    "bot_1": {"c": [TODAY - 1]},
    "ghost": {"d": [TODAY - 1]},  # deleted, but its transcripts are still there
}


def noon_ms(day: int) -> int:
    return day * DAY_MS + DAY_MS // 2


def said(role: str) -> dict[str, Any]:
    return {"type": "message", "message": {"role": role, "content": "…"}}


def write_lines(agent: Path, sessions: dict[str, list[int]]) -> None:
    """Write what the older generation keeps: a question and its answer each."""
    (agent / "sessions").mkdir(parents=True)
    for session, days in sessions.items():
        lines = [
            json.dumps({"timestamp": datetime.fromtimestamp(noon_ms(day) / 1000, UTC).isoformat()} | event)
            for day in days
            for event in (said("user"), said("assistant"), {"type": "session"})
        ]
        (agent / "sessions" / f"{session}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def write_database(agent: Path, sessions: dict[str, list[int]]) -> None:
    """Write what the newer generation keeps."""
    (agent / "agent").mkdir(parents=True)
    with closing(sqlite3.connect(agent / "agent" / "openclaw-agent.sqlite")) as database, database:
        database.execute(SCHEMA)
        for session, days in sessions.items():
            for number, day in enumerate(days):
                for event in (said("user"), said("assistant")):
                    database.execute(
                        "INSERT INTO transcript_events VALUES (?, ?, ?, NULL, ?)",
                        (session, number, json.dumps(event), noon_ms(day)),
                    )


@pytest.mark.parametrize("version", GENERATIONS)
def test_questions_and_sessions_are_counted_by_day(version: str, tmp_path: Path) -> None:
    for agent, sessions in ASKED.items():
        write = write_database if version == NEW else write_lines
        write(tmp_path / "agents" / agent, sessions)

    assert bots_top_of(files_of(tmp_path, config_of(version))) == [
        {
            "id": "main", "name": "main", "emoji": None, "model": "mock/mock-1",
            "questions": {TODAY - 2: 3, TODAY - 1: 1},
            "sessions": {TODAY - 2: 1, TODAY - 1: 1},
            "lastAskedAt": noon_ms(TODAY - 1),
        },
        {
            "id": "bot_1", "name": "Bot One", "emoji": "🤖", "model": "mock/mock-2",
            "questions": {TODAY - 1: 1}, "sessions": {TODAY - 1: 1}, "lastAskedAt": noon_ms(TODAY - 1),
        },
        {
            "id": "bot_2", "name": "Changed 1795621605", "emoji": None, "model": "second/org/deep-1",
            "questions": {}, "sessions": {}, "lastAskedAt": None,
        },
    ]  # fmt: skip


def test_bots_are_those_that_were_listed_last(tmp_path: Path) -> None:
    write_lines(tmp_path / "agents" / "bot_1", ASKED["bot_1"])
    bot = {"id": "bot_1", "name": "一号", "emoji": "🤖", "model": "mock/mock-2", "workspace": "/w"}
    last: dict[str, Any] = {Resource.BOTS_MODELS: {"bots": [bot], "models": []}}

    assert bots_top_of(files_of(tmp_path, config_of(OLD), last)) == [
        {
            "id": "bot_1", "name": "一号", "emoji": "🤖", "model": "mock/mock-2",
            "questions": {TODAY - 1: 1}, "sessions": {TODAY - 1: 1}, "lastAskedAt": noon_ms(TODAY - 1),
        }
    ]  # fmt: skip


def test_question_is_counted_once_however_often_it_is_looked_at(tmp_path: Path) -> None:
    write_lines(tmp_path / "agents" / "main", {"a": [TODAY]})
    files = files_of(tmp_path, {})

    first, second = bots_top_of(files), bots_top_of(files)

    assert first == second
    assert first[0]["questions"] == {TODAY: 1}


def test_bot_whose_last_question_is_long_ago_was_not_asked(tmp_path: Path) -> None:
    write_lines(tmp_path / "agents" / "main", {"a": [TODAY - 200]})

    row = bots_top_of(files_of(tmp_path, {}))[0]

    assert (row["questions"], row["sessions"], row["lastAskedAt"]) == ({}, {}, None)


def test_heartbeats_with_words_of_the_config_are_no_questions(tmp_path: Path) -> None:
    write_lines(tmp_path / "agents" / "main", {"a": [TODAY]})
    heartbeat = said("user") | {"timestamp": datetime.now(UTC).isoformat()}
    heartbeat["message"]["content"] = "Anything new?\nCurrent time: Friday, September 4th, 2026 - 12:00 (UTC)"
    with (tmp_path / "agents" / "main" / "sessions" / "a.jsonl").open("a") as lines:
        lines.write(f"{json.dumps(heartbeat)}\n" * 3)
    config = {"agents": {"defaults": {"heartbeat": {"prompt": "Anything new?"}}}}

    assert bots_top_of(files_of(tmp_path, config))[0]["questions"] == {TODAY: 1}
    assert bots_top_of(files_of(tmp_path, {}))[0]["questions"] == {TODAY: 4}
