"""The record: on the disk at once, in the database once, whatever is gone meanwhile."""

import asyncio
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from buddy_common.db.engine import Database, open_engine
from buddy_common.db.migrate import downgrade, upgrade
from buddy_common.db.tables import HealEventRow, HealIncidentRow, HealthCheckRow, HealthRollupRow
from buddy_common.schemas.healing import EventKind
from buddy_common.schemas.verdicts import Verdict
from buddy_common.settings import DatabaseSettings, HomeSettings
from buddy_watchdog import record as record_module
from buddy_watchdog.record import Recorder, build_recorder
from common.db.healing_rows import HISTORY, NODE, START, check, event
from eventually import eventually

WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from buddy_common.db.engine import Database, open_engine
from buddy_common.schemas.healing import EventKind
from buddy_watchdog.record import Recorder
from common.db.healing_rows import check, event

database = Database(open_engine(sys.argv[2]))

async def main():
    recorder = Recorder(Path(sys.argv[1]), database, node="local", segment_bytes=4000)
    replay = asyncio.create_task(recorder.run_forever())
    for number in range(100000):
        await recorder.event(event(number, EventKind.DETECTED, incident=f"i{number % 5}"))
        await recorder.check(check(float(number)))
        print(number, flush=True)

asyncio.run(main())
"""
TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_module, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(record_module, "LONGEST_WAIT_SECONDS", 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "record"


async def recorder_on(url: str, folder: Path) -> Recorder:
    return Recorder(folder, await database_on(url), node=NODE)


async def database_on(url: str) -> Database:
    return Database(await asyncio.to_thread(open_engine, url))


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[None]:
    """Bring the record into the database, and end that."""
    task = asyncio.create_task(recorder.run_forever())
    yield
    task.cancel()
    await asyncio.wait([task])
    await recorder.close()


def _events(session: Session) -> list[str]:
    return [row.id for row in session.exec(select(HealEventRow).order_by(HealEventRow.seq)).all()]  # type: ignore[arg-type]  # SQLModel types columns by their value


def _checks(session: Session) -> list[str]:
    return sorted(row.id for row in session.exec(select(HealthCheckRow)).all())


async def events_in(database: Database, count: int) -> list[str]:
    """Return the ids of the events as soon as there are so many."""
    return await eventually(lambda: database.run(_events), lambda found: len(found) >= count)


async def test_events_and_checks_reach_the_database(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    async with running(recorder):
        for one in HISTORY:
            await recorder.event(one)
        await recorder.check(check(0))

        assert await events_in(database, 5) == ["e1", "e2", "e3", "e4", "e5"]
        await eventually(lambda: database.run(_checks), lambda found: found == ["c0"])
    (incident,) = await database.run(lambda session: session.exec(select(HealIncidentRow)).all())
    assert incident.state == "recovered"


async def test_an_event_is_on_the_disk_before_its_writer_goes_on(database_url: str, folder: Path) -> None:
    recorder = await recorder_on(database_url, folder)
    await recorder.event(HISTORY[0])

    lines = await asyncio.to_thread(lambda: [p.read_text() for p in folder.glob("events-*.jsonl")])
    assert [json.loads(line)["id"] for line in lines] == ["e1"]
    await recorder.close()


async def test_what_the_gateway_has_said_is_masked_before_it_reaches_the_disk(
    database_url: str, folder: Path
) -> None:
    secret, digest = "sk-planted-secret-1234567890", "5f70bf18" * 8
    said = {"said": [f"calling with {secret}"], "config_hash": digest, "pid": 7}
    recorder = await recorder_on(database_url, folder)
    await recorder.event(
        event(1, EventKind.REPAIR, reason=secret, outcome=secret, evidence_before=said, evidence_after=said)
    )

    (text,) = await asyncio.to_thread(lambda: [path.read_text() for path in folder.glob("events-*.jsonl")])
    assert secret not in text
    line = json.loads(text)
    assert line["evidence_after"] == {"said": ["calling with sk-…7890"], "config_hash": digest, "pid": 7}
    await recorder.close()


async def test_the_next_watchdog_brings_what_the_last_one_could_not(
    database: Database, database_url: str, folder: Path
) -> None:
    first = await recorder_on(database_url, folder)
    await first.event(HISTORY[0])
    await first.close()
    second = await recorder_on(database_url, folder)
    async with running(second):
        await second.event(HISTORY[1])

        assert await events_in(database, 2) == ["e1", "e2"]


async def test_a_record_that_is_replayed_from_its_beginning_doubles_nothing(
    database: Database, database_url: str, folder: Path
) -> None:
    first = await recorder_on(database_url, folder)
    async with running(first):
        for number, one in enumerate(HISTORY):
            await first.event(one)
            await first.check(check(10.0 * number))
        await events_in(database, 5)
        await eventually(lambda: database.run(_checks), lambda found: len(found) == 5)
    rollups = await database.run(lambda session: session.exec(select(HealthRollupRow)).all())
    for name in ("events", "checks"):
        await asyncio.to_thread((folder / f"{name}.position.json").unlink)
    second = await recorder_on(database_url, folder)
    async with running(second):
        await second.event(event(9, EventKind.DETECTED, incident="i2"))

        assert await events_in(database, 6) == ["e1", "e2", "e3", "e4", "e5", "e9"]
    assert len(await database.run(_checks)) == 5
    again = await database.run(lambda session: session.exec(select(HealthRollupRow)).all())
    assert [row.model_dump() for row in again] == [row.model_dump() for row in rollups]


async def test_a_database_without_a_schema_is_waited_for(empty_database_url: str, folder: Path) -> None:
    recorder = await recorder_on(empty_database_url, folder)
    async with running(recorder):
        await recorder.event(HISTORY[0])
        await eventually(_failing(recorder), bool)
        database = await database_on(empty_database_url)
        await asyncio.to_thread(upgrade, database.engine)

        assert await events_in(database, 1) == ["e1"]
        database.engine.dispose()


async def test_what_came_while_the_tables_were_gone_is_there_when_they_are_back(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    async with running(recorder):
        await recorder.event(HISTORY[0])
        await events_in(database, 1)
        await asyncio.to_thread(downgrade, database.engine, "0003")
        for number in range(300):
            await recorder.event(event(100 + number, EventKind.DETECTED))
        await eventually(_failing(recorder), bool)
        await asyncio.to_thread(upgrade, database.engine)

        assert await events_in(database, 300) == [f"e{100 + number}" for number in range(300)]


@pytest.mark.sqlite
async def test_a_database_file_that_is_not_there_is_waited_for(
    migrated: str, tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "mount" / "buddy.db"
    recorder = await recorder_on(f"sqlite:///{path}", folder)
    async with running(recorder):
        await recorder.event(HISTORY[0])
        await eventually(_failing(recorder), bool)
        await asyncio.to_thread(_put_database, migrated, path)
        database = await database_on(f"sqlite:///{path}")

        assert await events_in(database, 1) == ["e1"]
        database.engine.dispose()


@pytest.mark.sqlite
async def test_a_database_that_is_locked_holds_nobody_up(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    with _locked(database_url.removeprefix("sqlite:///")) as lock:
        async with running(recorder):
            async with asyncio.timeout(5):
                for one in HISTORY:
                    await recorder.event(one)
            lock.rollback()

            assert len(await events_in(database, 5)) == 5


async def test_events_that_a_full_disk_does_not_take_are_held_and_written_later(
    database: Database, database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = await recorder_on(database_url, folder)

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with running(recorder):
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", full)
            for one in HISTORY:
                await recorder.event(one)
            for number in range(record_module.CHECKS_HELD + 5):
                await recorder.check(check(10.0 * number))
            assert await database.run(_events) == []

        assert len(await events_in(database, 5)) == 5
        checks = await eventually(
            lambda: database.run(_checks), lambda found: len(found) >= record_module.CHECKS_HELD
        )
        assert len(checks) == record_module.CHECKS_HELD
        assert check(10.0 * (record_module.CHECKS_HELD + 4)).id in checks


async def test_a_line_that_nobody_understands_is_kept_and_does_not_stop_the_others(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    await recorder.event(HISTORY[0])
    (path,) = await asyncio.to_thread(lambda: list(folder.glob("events-*.jsonl")))
    await asyncio.to_thread(_append, path, '{"id": "of another version"}\n')
    await recorder.event(HISTORY[1])
    async with running(recorder):
        assert await events_in(database, 2) == ["e1", "e2"]

    refused = await asyncio.to_thread((folder / "refused.jsonl").read_text)
    assert refused == '{"id": "of another version"}\n'


@pytest.mark.postgres
async def test_a_row_that_the_database_refuses_does_not_stop_the_others(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    async with running(recorder):
        await recorder.event(event(1, EventKind.REPAIR, repair="x" * 65))
        await recorder.event(event(2, EventKind.REPAIR, reason="a NUL \x00 in it"))

        assert await events_in(database, 1) == ["e2"]


async def test_old_checks_are_let_go_of_and_a_year_of_rollups_is_kept(
    database: Database, database_url: str, folder: Path
) -> None:
    recorder = await recorder_on(database_url, folder)
    async with running(recorder):
        for days, verdict in ((0, Verdict.HUNG), (350, Verdict.READY), (365, Verdict.READY)):
            await recorder.check(check(days * 86400.0, verdict))
        await eventually(lambda: database.run(_checks), lambda found: len(found) == 3)
        await recorder.forget(START + timedelta(days=366))

        assert await database.run(_checks) == [check(350 * 86400.0).id, check(365 * 86400.0).id]
        rollups = await database.run(lambda session: session.exec(select(HealthRollupRow)).all())
        assert len(rollups) == 2


def test_the_recorder_of_a_node_writes_below_its_state(tmp_path: Path) -> None:
    recorder = build_recorder(HomeSettings(home=tmp_path, node="b"), DatabaseSettings())
    asyncio.run(_write_one(recorder))

    assert list((tmp_path / "nodes" / "b" / "record").glob("events-*.jsonl"))


@pytest.mark.timeout(90)
async def test_nothing_is_lost_and_nothing_is_there_twice_after_kills_in_the_middle(
    database: Database, database_url: str, folder: Path
) -> None:
    written = 0
    for _ in range(3):
        written = max(written, await asyncio.to_thread(_write_and_be_killed, folder, database_url))
    recorder = await recorder_on(database_url, folder)
    async with running(recorder):
        found = await eventually(
            lambda: database.run(_events), lambda events: len(events) >= written, seconds=30
        )
        assert len(found) == len(set(found))
        assert {f"e{number}" for number in range(written)} <= set(found)


def _write_and_be_killed(folder: Path, url: str) -> int:
    """Let a process record until it has said 40 times that it did; return how many it is known to have."""
    arguments = [sys.executable, "-c", WRITER, str(folder), url, str(TESTS)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(40):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        return 40 + process.stdout.read().count(b"\n")


async def _write_one(recorder: Recorder) -> None:
    await recorder.event(HISTORY[0])
    await recorder.close()


def _failing(recorder: Recorder) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return recorder._database_fails

    return look


def _put_database(template: str, path: Path) -> None:
    path.parent.mkdir()
    shutil.copy(template, path)


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@contextmanager
def _locked(path: str) -> Iterator[sqlite3.Connection]:
    """Hold a write lock on a database file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()
