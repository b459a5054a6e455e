"""What a soak gathers from the system that it has run on, with a system that only lies on the disk."""

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlmodel import SQLModel, create_engine

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.openclaw_program import OpenClawProgram
from buddy_common.db.tables import HealEventRow
from buddy_common.schemas.backups import BackupReason
from chaos.clients import Client
from chaos.facts import Attempt, Facts, Said, Window
from chaos.finals import heal_rows, look_at_keys, task_rows
from chaos.keys import FILE, GONE, MODEL, ROW, THERE
from chaos.ledger_changes import changes_kept
from chaos.soak import Soak
from chaos.stage import Stage
from chaos.writers import add_what_is_written
from e2e.machine import Buddy, Machine
from fakes.openclaw_program import install_fake_openclaw
from real_openclaw import Generation, RealOpenClaw

MODEL_KEY, ROW_KEY = f"{MODEL}soak-1", f"{ROW}soak-1"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A system of which nothing runs."""
    home = tmp_path / "home"
    home.mkdir()
    engine = create_engine(f"sqlite:///{home / 'buddy.db'}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    fake = install_fake_openclaw(tmp_path / "openclaw", port=1)
    found = OpenClawProgram(fake.program, os.environ["PATH"], "1")
    machine = cast("Machine", SimpleNamespace(home=home, folder=tmp_path))
    buddy = cast("Buddy", SimpleNamespace(url="http://buddy", token="token"))
    stage = Stage(buddy, machine, RealOpenClaw(Generation.NEW, found, fake.config_dir))
    stage.workspace.mkdir()
    (stage.workspace / "SOUL.md").write_text("v7")
    return stage


def config_of(*models: str, **more: Any) -> bytes:
    config: dict[str, Any] = {"agents": {}, "gateway": {"auth": {"token": "t-1"}}, **more}
    add_what_is_written(config)
    config["models"]["providers"]["second"]["models"] += [{"id": model} for model in models]
    return json.dumps(config).encode()


def tell(stage: Stage, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(stage.machine.home / "buddy.db")) as database, database:
        database.execute(statement, values)


def attempts(*keys: str, at: float) -> list[Attempt]:
    return [Attempt(key, THERE, at - 1, at, Said.ACKNOWLEDGED) for key in keys]


async def test_each_key_is_looked_at_where_it_is_kept(stage: Stage) -> None:
    stage.config_file.write_bytes(config_of("soak-1"))
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    tell(
        stage,
        "INSERT INTO quick_commands (label, prompt, created_at) VALUES (?, ?, ?)",
        "soak-1",
        "What?",
        now,
    )
    facts = Facts(attempts=attempts(MODEL_KEY, f"{MODEL}soak-2", ROW_KEY, f"{ROW}soak-2", FILE, at=100))

    look = await look_at_keys(stage, facts)

    assert look.values == {
        MODEL_KEY: THERE, f"{MODEL}soak-2": GONE, ROW_KEY: THERE, f"{ROW}soak-2": GONE, FILE: "v7"
    }  # fmt: skip
    assert task_rows(stage) == []


def test_a_rollback_is_found_with_what_it_took_and_each_content_is_judged(stage: Stage) -> None:
    history = ConfigHistory(stage.machine.home / "nodes" / "local" / "backups", keep=100)
    good, changed = config_of(), config_of("soak-1")
    stage.config_file.write_bytes(good)
    facts = Facts()
    soak = Soak(stage, [], facts)
    config, backups = soak._config, soak._backups
    config.expect()
    config.look()
    history.add(good, {}, reason=BackupReason.KNOWN_GOOD)
    for content in (changed, config_of("soak-1", fake={"invalid": "no such key"})):
        stage.config_file.write_bytes(content)
        config.look()
    facts.attempts = attempts(MODEL_KEY, at=time.time())
    kept = history.add(stage.config_file.read_bytes(), {}, reason=BackupReason.BEFORE_REPAIR)
    stage.config_file.write_bytes(good)
    for sampler in (config, backups):
        sampler.look()
    facts.rows = heal_rows(stage)

    soak._find_repairs()
    soak._judge_configs()

    (taken,), (look,) = facts.taken, facts.looks
    assert (taken.at, taken.kind, taken.values) == (
        kept.created_at.timestamp(),
        "rollback",
        {MODEL_KEY: GONE},
    )
    assert taken.problem == "a rollback has no event"
    assert look.values == {MODEL_KEY: THERE}
    assert (facts.config_contents, facts.config_judged) == (3, 3)
    assert len(facts.config_refused) == 1


def test_events_are_read_as_they_are_kept(stage: Stage) -> None:
    at = datetime(2026, 3, 28, 10, tzinfo=UTC)
    event = HealEventRow(
        id="e-1", incident="i-1", node="local", at=at, kind="repair", verdict="crashed", reason="-",
        repair="rollback",
    )  # fmt: skip
    engine = create_engine(f"sqlite:///{stage.machine.home / 'buddy.db'}")
    with engine.begin() as connection:
        connection.execute(
            SQLModel.metadata.tables["heal_events"].insert(), event.model_dump(exclude={"seq"})
        )
    engine.dispose()

    (row,) = heal_rows(stage)

    assert (row.id, row.at, row.repair) == ("e-1", at.timestamp(), "rollback")


class RestingSoak(Soak):
    """A soak whose client had a change acknowledged that is lost, and writes once more in calm."""

    def _is_known_good(self) -> bool:
        return True

    async def _load_and_faults(self, clients: list[Client]) -> None:
        self._facts.attempts = attempts(MODEL_KEY, at=time.time())

    async def _settle(self) -> None:
        pass

    async def _again(self, clients: list[Client]) -> None:
        await asyncio.to_thread(self._stage.config_file.write_bytes, config_of("soak-1"))

    async def _stretch(self, looks: int) -> Window:
        return Window(0, 0)


async def test_the_keys_are_looked_at_before_anybody_writes_again(stage: Stage) -> None:
    await asyncio.to_thread(stage.config_file.write_bytes, config_of())
    facts = Facts()
    soak = await asyncio.to_thread(RestingSoak, stage, [], facts)

    await soak._run()

    assert [look.values[MODEL_KEY] for look in facts.looks] == [GONE, THERE]
    assert not changes_kept(facts).passed
