"""The sessions of all agents, from the gateway and from the stores on disk."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buddy_worker.reads import sessions
from buddy_worker.reads.sessions import FIELDS, PAGE, agent_of, read_sessions, sessions_of
from worker.reads.recorded import GENERATIONS, NEW, RecordedGateway, files_of, recording

# of 2026.9.6, as far as it is read
SCHEMA = (
    "CREATE TABLE session_nodes (session_key TEXT NOT NULL PRIMARY KEY, current_session_id TEXT NOT NULL,"
    " entry_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT"
)


def keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row["key"] for row in rows]


def write_database(agent: Path, *entries: tuple[str, dict[str, Any] | str, int]) -> Path:
    """Write what the newer generation keeps."""
    file = agent / "agent" / "openclaw-agent.sqlite"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(SCHEMA)
        for key, entry, updated_at in entries:
            text = entry if isinstance(entry, str) else json.dumps(entry)
            database.execute("INSERT INTO session_nodes VALUES (?, 'id', ?, ?)", (key, text, updated_at))
    return file


def write_store(agent: Path, content: Mapping[str, Any] | str) -> Path:
    """Write what the older generation keeps."""
    file = agent / "sessions" / "sessions.json"
    file.parent.mkdir(parents=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


# --- from the gateway


@pytest.mark.parametrize("version", GENERATIONS)
async def test_sessions_are_those_of_the_gateway_newest_first(version: str, tmp_path: Path) -> None:
    gateway = RecordedGateway(version)
    said = gateway.answers["sessions.list"]["sessions"]
    said.reverse()

    rows = await read_sessions(gateway, files_of(tmp_path, {}))

    assert keys(rows) == ["agent:bot_1:openai-user:bob", "agent:bot_1:openai-user:alice"]
    assert [row["agentId"] for row in rows] == ["bot_1", "bot_1"]
    for row, recorded in zip(rows, recording(version)["sessions.list"]["sessions"], strict=True):
        assert {name: row[name] for name in row if name != "agentId"} == {
            name: recorded[name] for name in FIELDS if name in recorded
        }
    assert gateway.calls == [("sessions.list", {"limit": PAGE, "archived": "all"} if version == NEW else {})]


async def test_sessions_are_asked_for_page_by_page(tmp_path: Path) -> None:
    def page(params: dict[str, Any]) -> dict[str, Any]:
        offset = params.get("offset", 0)
        rows = [{"key": f"agent:main:{number}", "updatedAt": number} for number in range(offset, offset + 2)]
        more = offset < 4
        return {"sessions": rows, "hasMore": more, "nextOffset": offset + 2 if more else None}

    gateway = RecordedGateway(NEW, {"sessions.list": page})

    rows = await read_sessions(gateway, files_of(tmp_path, {}))

    assert keys(rows) == [f"agent:main:{number}" for number in reversed(range(6))]
    assert [params.get("offset") for params in gateway.asked("sessions.list")] == [None, 2, 4, None]
    assert {params["limit"] for params in gateway.asked("sessions.list")} == {PAGE}


async def test_session_that_is_used_between_two_pages_is_not_missed(tmp_path: Path) -> None:
    newest_first = ["new", "older", "oldest"]

    def page(params: dict[str, Any]) -> dict[str, Any]:
        offset = params.get("offset", 0)
        answer = {
            "sessions": [{"key": newest_first[offset]}],
            "hasMore": offset < 2,
            "nextOffset": offset + 1,
        }
        if offset == 0 and newest_first[0] == "new":  # somebody writes in the last one
            newest_first.insert(0, newest_first.pop())
        return answer

    rows = await read_sessions(RecordedGateway(NEW, {"sessions.list": page}), files_of(tmp_path, {}))

    assert sorted(keys(rows)) == ["new", "older", "oldest"]


async def test_gateway_that_opens_hundreds_of_databases_first_gets_its_time(tmp_path: Path) -> None:
    gateway = RecordedGateway(NEW)

    await read_sessions(gateway, files_of(tmp_path, {}))

    assert min(gateway.waits) > 600


async def test_page_that_is_empty_is_the_last_one(tmp_path: Path) -> None:
    gateway = RecordedGateway(NEW, {"sessions.list": {"sessions": [], "hasMore": True, "nextOffset": 5}})

    assert await read_sessions(gateway, files_of(tmp_path, {})) == []
    assert len(gateway.calls) == 1


async def test_pages_without_an_end_are_not_asked_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_PAGES", 3)
    endless = {"sessions": [{"key": "a"}], "hasMore": True, "nextOffset": 1}
    gateway = RecordedGateway(NEW, {"sessions.list": endless})

    assert keys(await read_sessions(gateway, files_of(tmp_path, {}))) == ["a"]
    assert len(gateway.calls) == 3 + 1  # and the first one again


@pytest.mark.parametrize("answer", [{}, {"sessions": None}, {"sessions": ["text"]}], ids=str)
async def test_answer_of_another_shape_holds_no_sessions(answer: object, tmp_path: Path) -> None:
    gateway = RecordedGateway(NEW, {"sessions.list": answer})

    assert await read_sessions(gateway, files_of(tmp_path, {})) == []


# --- from the files


def test_sessions_of_both_stores_are_told_newest_first(tmp_path: Path) -> None:
    agents = tmp_path / "agents"
    write_database(
        agents / "main",
        ("agent:main:main", {"sessionId": "a", "totalTokens": 5, "secret": "x"}, 20),
        ("agent:main:old", {"updatedAt": 10}, 99),
    )
    write_store(
        agents / "bot_1",
        {
            "agent:bot_1:main": {"sessionId": "b", "updatedAt": 30, "key": "another", "skillsSnapshot": {}},
            "agent:bot_1:broken": "text",
            "agent:bot_1:never": {},
        },
    )

    assert sessions_of(files_of(tmp_path, {})) == [
        {"agentId": "bot_1", "key": "agent:bot_1:main", "sessionId": "b", "updatedAt": 30},
        {"agentId": "main", "key": "agent:main:main", "sessionId": "a", "updatedAt": 20, "totalTokens": 5},
        {"agentId": "main", "key": "agent:main:old", "updatedAt": 10},
        {"agentId": "bot_1", "key": "agent:bot_1:never"},
    ]


def test_database_counts_where_both_stores_are_left(tmp_path: Path) -> None:
    write_store(tmp_path / "agents" / "main", {"agent:main:before": {"updatedAt": 1}})
    write_database(tmp_path / "agents" / "main", ("agent:main:main", {}, 2))

    assert keys(sessions_of(files_of(tmp_path, {}))) == ["agent:main:main"]


def test_sessions_are_read_without_a_change_of_the_database(tmp_path: Path) -> None:
    file = write_database(tmp_path / "agents" / "main", ("agent:main:main", {}, 1))
    before = file.read_bytes(), file.stat().st_mtime_ns

    sessions_of(files_of(tmp_path, {}))

    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_sessions_that_the_gateway_writes_at_this_moment_are_read(tmp_path: Path) -> None:
    file = write_database(tmp_path / "agents" / "main", ("agent:main:main", {}, 1))
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO session_nodes VALUES ('agent:main:kept', 'id', '{}', 2)")
        writer.commit()
        writer.execute("INSERT INTO session_nodes VALUES ('agent:main:open', 'id', '{}', 3)")

        assert keys(sessions_of(files_of(tmp_path, {}))) == ["agent:main:kept", "agent:main:main"]


def test_state_without_agents_has_no_sessions(tmp_path: Path) -> None:
    (tmp_path / "agents" / "main").mkdir(parents=True)

    assert sessions_of(files_of(tmp_path, {})) == []
    assert sessions_of(files_of(tmp_path / "nothing", {})) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', '{"a": 1}'])
def test_store_that_cannot_be_read_hides_no_other_agents_sessions(tmp_path: Path, content: str) -> None:
    write_store(tmp_path / "agents" / "broken", content)
    write_store(tmp_path / "agents" / "main", {"agent:main:main": {}})

    assert keys(sessions_of(files_of(tmp_path, {}))) == ["agent:main:main"]


def test_database_that_cannot_be_read_hides_no_other_agents_sessions(tmp_path: Path) -> None:
    agents = tmp_path / "agents"
    write_database(agents / "broken").write_bytes(b"no database at all, but long enough to be taken for one")
    (agents / "empty" / "agent").mkdir(parents=True)
    (agents / "empty" / "agent" / "openclaw-agent.sqlite").touch()
    write_database(agents / "main", ("agent:main:main", {}, 1))

    assert keys(sessions_of(files_of(tmp_path, {}))) == ["agent:main:main"]


def test_entry_that_is_no_json_is_told_without_its_fields(tmp_path: Path) -> None:
    write_database(tmp_path / "agents" / "main", ("agent:main:a", "{", 2), ("agent:main:b", "[]", 1))

    assert sessions_of(files_of(tmp_path, {})) == [
        {"agentId": "main", "key": "agent:main:a", "updatedAt": 2},
        {"agentId": "main", "key": "agent:main:b", "updatedAt": 1},
    ]


@pytest.mark.parametrize(
    ("key", "agent"),
    [
        ("agent:main:main", "main"),
        ("agent:bot_1:openai-user:bob", "bot_1"),
        ("agent:bot_1", "bot_1"),
        ("global", "main"),
        ("", "main"),
    ],
)
def test_session_belongs_to_the_agent_that_its_key_names(key: str, agent: str) -> None:
    assert agent_of(key) == agent
