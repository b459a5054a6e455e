"""Which command lines replace OpenClaw, so that nothing is started meanwhile."""

import subprocess
import sys

import pytest

from buddy_watchdog.installs import installs_openclaw, running_install
from eventually import wait_until


@pytest.mark.parametrize(
    "command",
    [
        "npm install -g openclaw",
        "npm i openclaw@2026.9.6 --global",
        "node /usr/lib/node_modules/npm/bin/npm-cli.js install -g openclaw@latest",
        "pnpm add -g openclaw",
        "openclaw update",
        "node /usr/local/bin/openclaw update --yes",
    ],
)
def test_an_install_is_known(command: str) -> None:
    assert installs_openclaw(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "npm install express",
        "openclaw gateway run",
        "openclaw plugins update x",
        "vim openclaw",
        "npm run openclaw",
        "",
    ],
)
def test_anything_else_is_not(command: str) -> None:
    assert not installs_openclaw(command.split())


def test_one_that_runs_is_found_and_named() -> None:
    with subprocess.Popen(
        ["npm", "-c", "import sys; sys.stdin.read()", "install", "openclaw"],
        executable=sys.executable,
        stdin=subprocess.PIPE,
    ) as process:
        try:
            found = wait_until(running_install, lambda seen: seen is not None)
        finally:
            process.kill()

    assert found is not None
    assert f"pid {process.pid}" in found
