"""The program of this host over time: remembered while nothing changes, and never longer."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import OpenClawNotFoundError
from buddy_common.schemas.gateway import OpenClawInstall
from buddy_common.settings import OpenClawSettings


class Npm:
    """Installs as npm does: a package folder that is replaced whole, and a link to the program in it."""

    def __init__(self, folder: Path) -> None:
        self._package = folder / "lib" / "openclaw"
        self._runs = folder / "runs"
        self._installs = 0
        self.program = folder / "bin" / "openclaw"
        self.program.parent.mkdir(parents=True)

    def install(self, version: str) -> None:
        self.remove()
        self._package.mkdir(parents=True)
        script = self._package / "openclaw.mjs"
        script.write_text(f'#!/bin/sh\necho run >> {self._runs}\necho "OpenClaw {version} (abc1234)"\n')
        script.chmod(0o755)
        os.utime(script, (500_000_000, 500_000_000))  # npm: 1985, for the sake of reproducible packages
        self.program.symlink_to(script)
        self._installs += 1
        os.utime(self._package, (1_774_656_000 + self._installs,) * 2)

    def remove(self) -> None:
        if self._package.exists():
            self.program.unlink()
            (self._package / "openclaw.mjs").unlink()
            self._package.rmdir()

    @property
    def runs(self) -> int:
        return len(self._runs.read_text().splitlines()) if self._runs.exists() else 0


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    monkeypatch.setenv("PATH", f"{tmp_path}/npm/bin")  # nothing else: this machine may have an OpenClaw
    return Npm(tmp_path / "npm")


@pytest.fixture
def openclaw(tmp_path: Path) -> HostOpenClaw:
    return HostOpenClaw(OpenClawSettings(), tmp_path / "runtime")


def test_program_is_run_once_while_nothing_changes(npm: Npm, openclaw: HostOpenClaw) -> None:
    npm.install("2026.9.5")

    found = [openclaw.program() for _ in range(3)]

    assert {program.version for program in found} == {"2026.9.5"}
    assert npm.runs == 1


def test_update_is_noticed(npm: Npm, openclaw: HostOpenClaw) -> None:
    npm.install("2026.9.5")
    assert openclaw.program().version == "2026.9.5"

    npm.install("2026.9.6")

    assert openclaw.program().version == "2026.9.6"
    assert npm.runs == 2


def test_first_install_is_noticed(npm: Npm, openclaw: HostOpenClaw) -> None:
    with pytest.raises(OpenClawNotFoundError):
        openclaw.program()

    npm.install("2026.9.6")

    assert openclaw.program().version == "2026.9.6"


def test_removed_program_is_noticed(npm: Npm, openclaw: HostOpenClaw) -> None:
    npm.install("2026.9.6")
    openclaw.program()

    npm.remove()

    with pytest.raises(OpenClawNotFoundError):
        openclaw.program()


async def test_inspect_says_version_path_and_when_it_was_installed(npm: Npm, openclaw: HostOpenClaw) -> None:
    npm.install("2026.9.6")

    assert await openclaw.inspect() == OpenClawInstall(
        installed=True,
        version="2026.9.6",
        path=str(npm.program),
        installed_at=datetime.fromtimestamp(1_774_656_001, UTC),
    )


@pytest.mark.usefixtures("npm")
async def test_inspect_of_nothing_says_what_to_do(openclaw: HostOpenClaw) -> None:
    install = await openclaw.inspect()

    assert not install.installed
    assert (install.version, install.path, install.installed_at) == (None, None, None)
    assert install.problem is not None
    assert "buddy openclaw install" in install.problem
