"""What OpenClaw remembers of agents that it has deleted."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from buddy_common.adapters.deleted_agents import is_remembered_as_deleted


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "openclaw.sqlite"
    made.parent.mkdir()
    return made


def test_who_is_in_the_journal_is_remembered(state: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(state)) as database, database:
        database.execute("CREATE TABLE agent_deletion_journal (agent_id TEXT)")
        database.execute("INSERT INTO agent_deletion_journal VALUES ('gone')")

    assert is_remembered_as_deleted(tmp_path, "gone")
    assert not is_remembered_as_deleted(tmp_path, "there")


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000])
def test_an_openclaw_without_a_journal_remembers_nobody(
    content: bytes | None, state: Path, tmp_path: Path
) -> None:
    if content is not None:
        state.write_bytes(content)

    assert not is_remembered_as_deleted(tmp_path, "gone")
