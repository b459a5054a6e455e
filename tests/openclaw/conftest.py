"""The whole system with the real OpenClaw, once for all tests here."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from buddy_common.adapters.openclaw_program import OpenClawProgram
from buddy_common.adapters.processes import child_environment
from fakes.ports import free_port
from openclaw_system import BUDDY, UP_SECONDS, System
from real_openclaw import locate


@pytest.fixture(scope="session")
def real_openclaw() -> OpenClawProgram:
    """The real program; without it these tests fail, they are never skipped."""
    return locate()


@pytest.fixture(scope="session")
def system(real_openclaw: OpenClawProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    node = shutil.which("node", path=real_openclaw.search_path)
    assert node is not None
    ports = [free_port() for _ in range(4)]
    environment = child_environment(
        BUDDY_HOME=str(folder / "buddy"),
        BUDDY_OPENCLAW=str(real_openclaw.path),
        BUDDY_OPENCLAW_NODE=node,
        OPENCLAW_CONFIG_DIR=str(folder / "openclaw"),
        WEB_PORT=str(ports[0]),
        BUDDY_WATCHDOG_PORT=str(ports[1]),
        BUDDY_FLOWER_PORT=str(ports[2]),
        HEALTH_PORT=str(ports[3]),
    )
    log = (folder / "up.log").open("wb")
    process = subprocess.Popen(
        [BUDDY, "up"], env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        url = f"http://127.0.0.1:{ports[0]}"
        _wait_ready(url, process, folder / "up.log")
        yield System(
            url=url,
            flower_url=f"http://127.0.0.1:{ports[2]}",
            token=(folder / "buddy" / "token").read_text().strip(),
            home=folder / "buddy",
            config_dir=folder / "openclaw",
            gateway_port=ports[3],
            environment=environment,
            process=process,
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        log.close()
        _end_gateways(folder / "openclaw")


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/ready", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"buddy up did not become ready:\n{log.read_text()}")


def _end_gateways(config_dir: Path) -> None:
    """End the gateway that this run started: it is the one with our state folder."""
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("OPENCLAW_STATE_DIR") == str(config_dir)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if ours and process.pid != os.getpid():
            process.kill()
            process.wait(timeout=10)
