"""Which command lines replace OpenClaw, so that nothing is started meanwhile."""

from pathlib import Path

import pytest

from buddy_watchdog.installs import ENDLESS_SECONDS, Install, installs_openclaw, running_install
from eventually import wait_until
from watchdog.npm_install import NPM, npm_install


@pytest.mark.parametrize(
    "command",
    [
        "npm install -g openclaw",
        "npm i openclaw@2026.9.6 --global",
        "node /usr/lib/node_modules/npm/bin/npm-cli.js install -g openclaw@latest",
        "pnpm add -g openclaw",
        "pnpm add -g --allow-build=openclaw openclaw@latest",
        "bun add -g --trust openclaw@latest",
        "node --max-old-space-size=512 /usr/lib/node_modules/pnpm/bin/pnpm.cjs add -g openclaw",
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


@pytest.mark.parametrize(
    "title",
    [
        "npm install openclaw",
        "npm install openclaw@2026.9.6",
        "npm i openclaw@latest",
        "npm install /tmp/openclaw-2026.9.6.tgz",
        "npm install /srv/openclaw",
        "npm update openclaw",
        "npm uninstall openclaw",
        "openclaw-update",
    ],
)
def test_one_whose_title_has_replaced_its_arguments_is_known(title: str) -> None:
    """As in /proc while npm 11, OpenClaw 2026.9.6 and 2026.3.28 do it: one word, and nothing after it."""
    assert installs_openclaw([title, *[""] * 80])


@pytest.mark.parametrize(
    "title",
    [
        "npm",
        "npm install",
        "npm install @tencent-weixin/openclaw-weixin@2.4.9",
        "npm exec openclaw",
        "npm view openclaw",
        "openclaw",
        "openclaw-gateway",
        "openclaw-plugins",
    ],
)
def test_a_title_of_anything_else_is_not(title: str) -> None:
    assert not installs_openclaw([title, *[""] * 80])


def is_titled(found: Install | None) -> bool:
    """Whether npm has come so far that its title has replaced its arguments."""
    return found is not None and found.command.startswith("npm install ")


@pytest.mark.skipif(NPM is None, reason="there is no npm here, and so no real install to look at")
def test_a_real_npm_that_installs_openclaw_is_found_and_named(tmp_path: Path) -> None:
    with npm_install(tmp_path):
        found = wait_until(running_install, is_titled)

    assert found is not None
    assert found.seconds < ENDLESS_SECONDS
    assert not found.endless


def test_an_install_that_never_ends_is_told_from_one_that_may() -> None:
    assert not Install("npm install openclaw", 1, ENDLESS_SECONDS - 1).endless
    assert Install("npm install openclaw", 1, ENDLESS_SECONDS).endless
