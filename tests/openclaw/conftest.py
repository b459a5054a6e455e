"""Whole systems with the real OpenClaw, one of each generation, which all tests here share."""

from collections.abc import Iterator

import pytest

from openclaw_system import System, running_system
from real_openclaw import Generation


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the pinned OpenClaw; without the program the tests fail, they are never skipped."""
    with running_system(Generation.NEW, tmp_path_factory.mktemp("new")) as system:
        yield system


@pytest.fixture(scope="session")
def older_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the older OpenClaw."""
    with running_system(Generation.OLD, tmp_path_factory.mktemp("old")) as system:
        yield system


@pytest.fixture(params=list(Generation), ids=str)
def each_system(request: pytest.FixtureRequest) -> System:
    """The systems of both generations, one after the other."""
    name = "system" if request.param is Generation.NEW else "older_system"
    system = request.getfixturevalue(name)
    assert isinstance(system, System)
    return system
