"""What is deployed, as its files say it: no Docker is needed."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")


@dataclass(frozen=True)
class Variable:
    """`${NAME:-text}` or `${NAME:?text}` of the compose file."""

    name: str
    kind: str
    text: str


@dataclass
class Stage:
    """A stage of the Dockerfile: what it stands on, and its instructions."""

    base: str
    instructions: list[str] = field(default_factory=list)

    def has(self, word: str) -> bool:
        return any(line.startswith(word) for line in self.instructions)


@pytest.fixture(scope="session")
def variables() -> list[Variable]:
    found = _VARIABLE.finditer(COMPOSE_FILE.read_text())
    return [Variable(each["name"], each["kind"] or "", each["text"] or "") for each in found]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """The compose file with its defaults; a variable without one is its own name."""

    def fill(match: "re.Match[str]") -> str:
        return (match["text"] or "") if match["kind"] == "-" else match["name"]

    parsed: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(fill, COMPOSE_FILE.read_text()))
    return parsed


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


@pytest.fixture(scope="session")
def stages() -> dict[str, Stage]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[match[2]] = Stage(match[1])
        elif found and line and not line.startswith("#"):
            found[list(found)[-1]].instructions.append(line)
    return found


@pytest.fixture(scope="session")
def images(stages: dict[str, Stage]) -> dict[str, Stage]:
    """The stages that no other stage needs."""
    used = {stage.base for stage in stages.values()}
    for stage in stages.values():
        used |= {name for line in stage.instructions for name in re.findall(r"--from=(\S+)", line)}
    return {name: stage for name, stage in stages.items() if name not in used}


def traefik_file(compose_file: Path) -> "subprocess.CompletedProcess[str]":
    """Translate the labels as the image of Traefik does."""
    return subprocess.run(
        [sys.executable, ROOT / "deploy" / "routes.py", compose_file],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def http() -> dict[str, Any]:
    """What Traefik reads."""
    found: dict[str, Any] = json.loads(traefik_file(COMPOSE_FILE).stdout)["http"]
    return found
