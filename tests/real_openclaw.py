"""The real OpenClaw programs that the tests need: the pinned one, and an older one beside it.

As a program, this installs what is missing of them: `make openclaw`.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.child_process import ChildResult
from buddy_common.adapters.config_file import write_first_config
from buddy_common.adapters.openclaw_cli import find_json
from buddy_common.adapters.openclaw_program import OpenClawProgram, installed_program, locate_openclaw
from buddy_common.errors import OpenClawNotFoundError
from buddy_common.schemas.processes import ProcessExit
from buddy_common.settings import HomeSettings, OpenClawSettings

# read before any test takes the environment away
_SETTINGS = OpenClawSettings()
_RUNTIME = HomeSettings().runtime


class Generation(StrEnum):
    """The two generations of OpenClaw that Buddy operates."""

    NEW = "new"
    OLD = "old"

    @property
    def version(self) -> str:
        """The release that stands for it in the tests."""
        return "2026.3.28" if self is Generation.OLD else _SETTINGS.version


# per test: the generation that it runs against, if it needs the real program
marked: dict[str, Generation] = {}
tests_run: Counter[Generation] = Counter()


def mark(item: pytest.Item) -> None:
    """Remember that the test needs the real program, the newer one unless it names the older."""
    parameters = getattr(item, "callspec", None)
    chosen = parameters.params.values() if parameters else ()
    older = Generation.OLD in chosen or "older_system" in getattr(item, "fixturenames", ())
    marked[item.nodeid] = Generation.OLD if older else Generation.NEW


def _settings(generation: Generation) -> OpenClawSettings:
    """Return where the program is; BUDDY_OPENCLAW may name the newer one."""
    if generation is Generation.NEW and _SETTINGS.program is not None:
        return _SETTINGS
    return OpenClawSettings(program=installed_program(_RUNTIME, generation.version), node_program=None)


def locate(generation: Generation) -> OpenClawProgram:
    """Return the real program.

    Raises:
        OpenClawNotFoundError: it is not installed, or does not run.
    """
    return locate_openclaw(_settings(generation), _RUNTIME)


def summary() -> Iterator[str]:
    """Return the lines for the end of a test run."""
    for generation in Generation:
        count = tests_run[generation]
        try:
            yield f"OpenClaw {locate(generation).version}: {count} tests ran against the real program"
        except OpenClawNotFoundError as exc:
            yield f"OpenClaw {generation.version}: none ({exc.message}); {count} tests ran against it"


_ports: dict[Path, int] = {}


@dataclass(frozen=True)
class RealOpenClaw:
    """A real program, with the state folder of one gateway."""

    generation: Generation
    found: OpenClawProgram
    config_dir: Path

    @classmethod
    def prepare(
        cls, generation: Generation, config_dir: Path, *, port: int, config: dict[str, Any]
    ) -> "RealOpenClaw":
        """Give it the first config that Buddy writes, on that port and with more in it."""
        try:
            openclaw = cls(generation, locate(generation), config_dir)
        except OpenClawNotFoundError as exc:
            pytest.fail(f"{exc.message} The tests need it too: `make openclaw` installs it.")
        write_first_config(openclaw.config_file)
        first = openclaw.config
        openclaw.write(config | first | {"gateway": first["gateway"] | config["gateway"] | {"port": port}})
        return openclaw

    @property
    def program(self) -> Path:
        """What BUDDY_OPENCLAW is to name."""
        return self.found.path

    @property
    def environment(self) -> dict[str, str]:
        """What Buddy must be told about it besides its path."""
        node = _settings(self.generation).node_program
        return {} if node is None else {"BUDDY_OPENCLAW_NODE": str(node)}

    @property
    def config_file(self) -> Path:
        """Its `openclaw.json`."""
        return self.config_dir / "openclaw.json"

    @property
    def config(self) -> dict[str, Any]:
        """What the file says now."""
        config: dict[str, Any] = json.loads(self.config_file.read_bytes())
        return config

    @property
    def port(self) -> int:
        """The port that its gateway is configured for, or was before a test broke the file."""
        with contextlib.suppress(ValueError, KeyError, OSError):
            _ports[self.config_dir] = int(self.config["gateway"]["port"])
        return _ports[self.config_dir]

    @property
    def token(self) -> str:
        """What its gateway takes."""
        return str(self.config["gateway"]["auth"]["token"])

    def ask(self, *command: str) -> Any:
        """Return what `openclaw … --json` says of this state folder."""
        environment = os.environ | {
            "PATH": self.found.search_path,
            "OPENCLAW_STATE_DIR": str(self.config_dir),
            "OPENCLAW_CONFIG_PATH": str(self.config_file),
        }
        done = subprocess.run(
            [str(self.program), *command, "--json"],
            env=environment, capture_output=True, text=True, check=True, timeout=200,
        )  # fmt: skip
        return find_json(ChildResult(ProcessExit(0), done.stdout, done.stderr, truncated=False))

    def write(self, config: dict[str, Any]) -> None:
        """Replace the config in one step, as a careful editor does."""
        self._replace(json.dumps(config, indent=2).encode())

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the config for good."""
        config = self.config
        change(config)
        self.write(config)

    @contextlib.contextmanager
    def edited(self, change: Callable[[dict[str, Any]], object]) -> Iterator[None]:
        """Change the config for as long as the block runs."""
        before = self.config_file.read_bytes()
        self.edit(change)
        try:
            yield
        finally:
            self._replace(before)

    def _replace(self, data: bytes) -> None:
        temporary = self.config_file.with_name("openclaw.json.edited")
        temporary.write_bytes(data)
        temporary.chmod(0o600)
        temporary.replace(self.config_file)


def install_missing() -> None:
    """Install what the tests need and is not there; the version in use stays as it is."""
    buddy = Path(sys.executable).with_name("buddy")
    for generation in Generation:
        program = _settings(generation).program
        if program is None or not program.exists():
            command = [str(buddy), "openclaw", "install", "--beside", "--version", generation.version]
            failed = subprocess.run(command, check=False).returncode
            if failed:
                sys.exit(failed)


if __name__ == "__main__":
    install_missing()
