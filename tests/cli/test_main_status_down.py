"""`buddy status` and `buddy down`: what they say of processes that run, and do to them."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from buddy_cli import main
from buddy_cli.state import ProcessRecord, UpState
from buddy_common.settings import HomeSettings
from fakes.ports import free_port

SLEEP = "print(1, flush=True); import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"


def buddy(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, list(arguments))


@pytest.fixture
def home() -> HomeSettings:
    return HomeSettings()


@pytest.fixture
def start() -> Iterator[Callable[[str], ProcessRecord]]:
    """Start a Python process that ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(code: str) -> ProcessRecord:
        process = subprocess.Popen([sys.executable, "-ISc", code], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        record = ProcessRecord.of(process.pid)
        assert record is not None
        return record

    yield run
    for process in started:
        process.kill()
        process.communicate()


def save_state(home: HomeSettings, supervisor: ProcessRecord, **children: ProcessRecord) -> Path:
    file = home.run / "up.json"
    url = f"http://127.0.0.1:{free_port()}"
    UpState(supervisor=supervisor, url=url, flower_url=None, children=children).save(file)
    return file


def test_status_when_nothing_runs_is_1() -> None:
    assert buddy("status").exit_code == 1
    assert json.loads(buddy("status", "--json").stdout) == {"running": False}


def test_status_of_a_buddy_that_does_not_answer_is_1_and_lists_the_processes(
    home: HomeSettings, start: Callable[[str], ProcessRecord]
) -> None:
    save_state(home, start(SLEEP), web=start(SLEEP))

    text, report = buddy("status"), buddy("status", "--json")

    assert text.exit_code == report.exit_code == 1
    assert "not ready" in text.stdout
    assert json.loads(report.stdout)["ready"] is False
    assert set(json.loads(report.stdout)["children"]) == {"web"}


def test_down_when_nothing_runs_is_fine() -> None:
    result = buddy("down")

    assert result.exit_code == 0
    assert "not running" in result.stdout


def test_down_ends_what_a_killed_buddy_left(
    home: HomeSettings, start: Callable[[str], ProcessRecord]
) -> None:
    killed, orphan = start(SLEEP), start(SLEEP)
    killed.signal(signal.SIGKILL)
    file = save_state(home, killed, web=orphan)

    result = buddy("down")

    assert result.exit_code == 0
    assert not orphan.alive
    assert not file.exists()


def test_down_says_so_when_buddy_does_not_stop(
    home: HomeSettings, start: Callable[[str], ProcessRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "DOWN_SECONDS", 0.3)
    stubborn = start(STUBBORN)
    save_state(home, stubborn)

    result = buddy("down")

    assert result.exit_code == 10
    assert f"(pid {stubborn.pid}) did not stop" in result.stderr
    assert stubborn.alive
