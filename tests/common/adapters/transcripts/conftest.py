"""A counter of questions on a fixed day."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from buddy_common.adapters import transcripts
from buddy_common.adapters.transcripts import TranscriptCounter
from common.adapters.transcripts.scene import KEEP_DAYS, TODAY, Database


@pytest.fixture(autouse=True)
def fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "today", lambda: TODAY)


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    return folder


@pytest.fixture
def counter(agents: Path) -> TranscriptCounter:
    return TranscriptCounter(agents, keep_days=KEEP_DAYS)


@pytest.fixture
def database(agents: Path) -> Iterator[Database]:
    with closing(Database(agents)) as opened:
        yield opened
