"""A refresher of a gateway, a program and files, at a time that the test sets."""

from pathlib import Path
from typing import Any, cast

import pytest

from buddy_common.adapters.transcripts import TranscriptCounter
from buddy_worker.reads import refresher as module
from buddy_worker.reads.refresher import Refresher
from worker.reads.recorded import NEW, recorded_hello
from worker.reads.scene import Clock, FakeCommands, FakeConfig, FakeEdits, FakeLink, FakeReadModel, Scene


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Scene:
    """A refresher that is connected to a gateway of the newer generation."""
    link, config = FakeLink(recorded_hello(NEW)), FakeConfig(tmp_path)
    commands, read_model, edits = FakeCommands(), FakeReadModel(), FakeEdits()
    refresher = Refresher(
        "local",
        link=cast("Any", link),
        config=cast("Any", config),
        edits=cast("Any", edits),
        commands=cast("Any", commands),
        transcripts=TranscriptCounter(tmp_path / "agents", keep_days=90),
        read_model=cast("Any", read_model),
    )
    return Scene(link, commands, config, read_model, clock, edits, refresher)
