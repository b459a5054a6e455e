"""Fixtures that all tests share: a real broker, a real database, an `openclaw` that is small and fast."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from blockbuster import blockbuster_ctx
from redis.asyncio import Redis

import real_openclaw
from buddy_common.adapters.redis_client import open_redis
from buddy_common.db.engine import Database, open_engine
from buddy_common.db.migrate import upgrade
from buddy_common.log import configure_logging
from buddy_common.settings import ALL_SETTINGS
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw, install_fake_openclaw
from fakes.ports import free_port
from fakes.postgres import MISSING, PostgresServer, server_programs
from security import ledger

OPENCLAW_TEST_SECONDS = 300
POSTGRES_TEST_SECONDS = 60  # the first one waits for the server to be made, too
MIGRATED = "migrated"
OUR_PACKAGES = [
    "buddy_api", "buddy_cli", "buddy_common", "buddy_proxy", "buddy_watchdog", "buddy_worker",
]  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgres"], default="sqlite", help="what tests run on")


def pytest_configure(config: pytest.Config) -> None:
    if on_postgres(config) and server_programs() is None:
        raise pytest.UsageError(MISSING)


def on_postgres(config: pytest.Config) -> bool:
    return bool(config.getoption("database") == "postgres")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The real OpenClaw takes its time: those tests get more of it, and run last."""
    left_out = [item for item in items if not suits_the_database(item, config)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    for item in items:
        needs_openclaw = item.get_closest_marker("openclaw") is not None
        if needs_openclaw:
            real_openclaw.mark(item)
        if item.get_closest_marker("timeout"):
            continue
        if needs_openclaw:
            item.add_marker(pytest.mark.timeout(OPENCLAW_TEST_SECONDS))
        elif on_postgres(config):
            item.add_marker(pytest.mark.timeout(POSTGRES_TEST_SECONDS))
    items.sort(key=lambda item: item.get_closest_marker("openclaw") is not None)


def suits_the_database(item: pytest.Item, config: pytest.Config) -> bool:
    """On PostgreSQL, what has no database or is about SQLite is left out; it has its own run."""
    if not on_postgres(config):
        return item.get_closest_marker("postgres") is None
    return "postgres_server" in getattr(item, "fixturenames", []) and not item.get_closest_marker("sqlite")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what ran against the real OpenClaw."""
    if report.when == "call" and report.nodeid in real_openclaw.marked and not report.skipped:
        real_openclaw.tests_run[real_openclaw.marked[report.nodeid]] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which OpenClaw the tests saw, and how many of them."""
    for line in real_openclaw.summary():
        terminalreporter.write_line(line)
    for line in ledger.table():
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the settings, the `.env` or the home of whoever runs it."""
    for settings in ALL_SETTINGS:
        for field in settings.model_fields.values():
            for name in getattr(field.validation_alias, "choices", []):
                monkeypatch.delenv(str(name), raising=False)
    monkeypatch.setenv("BUDDY_HOME", str(tmp_path / "buddy"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call of our code inside an event loop fails the test."""
    with blockbuster_ctx(scanned_modules=OUR_PACKAGES) as guard:
        for function in guard.functions.values():  # a stack trace reads its source lines, once
            function.can_block_in("linecache.py", "updatecache")
            function.can_block_in("tokenize.py", "open")
            function.can_block_in("coverage/collector.py", "lock_data")  # another thread notes a new file
        yield


@pytest.fixture(scope="session", autouse=True)
def logging_as_in_production() -> None:
    configure_logging(service="test", node="test")


@pytest.fixture(scope="session")
def broker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerServer]:
    server = BrokerServer(tmp_path_factory.mktemp("broker"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(broker_server: BrokerServer) -> str:
    """A running, empty broker."""
    broker_server.flush()
    return broker_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of a running, empty broker."""
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[BrokerServer]:
    """A broker that the test may stop."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = BrokerServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer | None]:
    """The server that holds the databases of this run; None where they are files of SQLite."""
    programs = server_programs() if on_postgres(request.config) else None
    if programs is None:
        yield None
        return
    server = PostgresServer(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated(postgres_server: PostgresServer | None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database that every test's own is a copy of: a file, or its name on the server."""
    file = tmp_path_factory.mktemp("database") / "template.db"
    url = f"sqlite:///{file}" if postgres_server is None else postgres_server.make_database(MIGRATED)
    engine = open_engine(url)
    upgrade(engine)
    if postgres_server is None:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return str(file) if postgres_server is None else MIGRATED


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer | None, tmp_path: Path) -> Iterator[str]:
    """A database without tables; a file that does not exist yet, on SQLite."""
    if postgres_server is None:
        yield f"sqlite:///{tmp_path}/fresh.db"
        return
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def database_url(postgres_server: PostgresServer | None, migrated: str, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database."""
    if postgres_server is None:
        file = tmp_path / "test.db"
        shutil.copy(migrated, file)
        yield f"sqlite:///{file}"
        return
    with postgres_server.database(template=migrated) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    engine = open_engine(database_url)
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def fake_openclaw(tmp_path: Path) -> Iterator[FakeOpenClaw]:
    """A fake program; whatever it started is ended with the test."""
    fake = install_fake_openclaw(tmp_path / "openclaw", port=free_port())
    yield fake
    end_processes_of(fake.program)


def end_processes_of(program: Path) -> None:
    """End what still runs from this very file, and nothing else."""
    for process in psutil.process_iter(["cmdline"]):
        if str(program) in (process.info["cmdline"] or []) and process.pid != os.getpid():
            process.kill()
            process.wait(timeout=10)
