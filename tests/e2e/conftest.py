"""Machines that are torn down whatever happens; nothing may be left running on them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.machine import Buddy, Machine


@pytest.fixture(autouse=True)
def hang_up_as_by_default() -> Iterator[None]:
    """Whoever runs the tests by `nohup` has SIGHUP ignored, which all that they start would inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine for one test."""
    folder = tmp_path / "machine"  # not the working directory of the tests themselves
    folder.mkdir()
    machine = Machine(folder)
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def buddy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buddy]:
    """A running `buddy up` that the tests of a module share."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        buddy = machine.up()
        buddy.wait_for_output("✓ gateway")
        yield buddy
    finally:
        machine.close()
