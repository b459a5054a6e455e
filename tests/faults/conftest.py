"""Systems with the real OpenClaw that these tests may kill, part by part."""

from collections.abc import Iterator

import pytest

from faults.ledger import Ledger
from faults.ward import HealingSystem, Ward, healing_system
from openclaw_system import System, running_system
from real_openclaw import Generation


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the pinned OpenClaw."""
    with running_system(Generation.NEW, tmp_path_factory.mktemp("faults")) as system:
        yield system


@pytest.fixture(scope="session")
def healing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HealingSystem]:
    """One whose gateway can be broken from inside and outside."""
    with healing_system(tmp_path_factory.mktemp("healing")) as healing:
        yield healing


@pytest.fixture(scope="session")
def ledger(healing: HealingSystem) -> Iterator[Ledger]:
    """The table of this run, with a cold start measured in it."""
    task = healing.system.run("restart")
    assert task["status"] == "Completed", task
    ledger = Ledger(healing.system.openclaw.found.version, task["result"]["startSeconds"])
    yield ledger
    ledger.write()


@pytest.fixture
def ward(healing: HealingSystem, ledger: Ledger) -> Ward:
    """The gateway that a test breaks."""
    return Ward(healing, ledger)
