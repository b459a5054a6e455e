"""One process with all lanes below it: they consume, and live and end together."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from eventually import wait_until

pytestmark = pytest.mark.timeout(90)
HEALTH = [sys.executable, "-m", "buddy_worker.lanes"]


@pytest.fixture
def environment(redis_url: str, database_url: str, tmp_path: Path) -> dict[str, str]:
    temporary = tmp_path / "tmp"  # as each container has its own
    temporary.mkdir()
    return os.environ | {
        "TMPDIR": str(temporary),
        "BUDDY_REDIS_URL": redis_url,
        "BUDDY_DATABASE_URL": database_url,
        "BUDDY_OPENCLAW": "/nothing-there",
    }


@pytest.fixture
def lanes(environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "buddy_worker"], env=environment)
    yield process
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def pids(environment: dict[str, str]) -> list[int]:
    file = Path(environment["TMPDIR"]) / "buddy-lanes.json"
    wait_until(lambda: file.exists() and file.read_text(), bool, seconds=30)
    found: list[int] = json.loads(file.read_text())
    return found


def until_healthy(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(HEALTH, env=environment, capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < deadline


def test_every_lane_consumes_and_sigterm_ends_them_in_time(
    lanes: "subprocess.Popen[bytes]", environment: dict[str, str]
) -> None:
    consumers = [psutil.Process(pid) for pid in pids(environment)]
    until_healthy(environment)
    assert {process.cmdline()[-1] for process in consumers} == {"fast", "slow"}

    began = time.monotonic()
    lanes.send_signal(signal.SIGTERM)

    assert lanes.wait(timeout=10) == 0
    assert time.monotonic() - began < 10
    assert not any(process.is_running() for process in consumers)


def test_the_end_of_one_lane_is_the_end_of_all(
    lanes: "subprocess.Popen[bytes]", environment: dict[str, str]
) -> None:
    first, second = (psutil.Process(pid) for pid in pids(environment))
    until_healthy(environment)
    first.kill()

    assert lanes.wait(timeout=20) == 1
    assert not second.is_running()


def test_a_lane_that_does_not_consume_is_unhealthy(environment: dict[str, str]) -> None:
    (Path(environment["TMPDIR"]) / "buddy-lanes.json").write_text("[1]")
    done = subprocess.run(HEALTH, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "buddy: a lane does not consume\n")


def test_without_its_lanes_it_is_unhealthy(environment: dict[str, str]) -> None:
    assert subprocess.run(HEALTH, env=environment, capture_output=True, check=False).returncode == 1
