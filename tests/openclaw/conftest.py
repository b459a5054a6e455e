"""Whole systems with the real OpenClaw, one of each generation, which all tests here share."""

from collections.abc import Iterator

import pytest

from fakes.npm_registry import PLUGIN_VERSION, NpmRegistry
from openclaw_system import System, running_system
from real_openclaw import Generation


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the pinned OpenClaw; without the program the tests fail, they are never skipped."""
    with running_system(Generation.NEW, tmp_path_factory.mktemp("new")) as system:
        yield system


@pytest.fixture(scope="session")
def npm_registry() -> Iterator[NpmRegistry]:
    """A registry with one plugin, for the older OpenClaw: what others offer, is not made for it any more."""
    registry = NpmRegistry()
    registry.publish(PLUGIN_VERSION)
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def older_system(tmp_path_factory: pytest.TempPathFactory, npm_registry: NpmRegistry) -> Iterator[System]:
    """A system with the older OpenClaw."""
    folder = tmp_path_factory.mktemp("old")
    with running_system(Generation.OLD, folder, **npm_registry.environment) as system:
        yield system


@pytest.fixture(params=[Generation.NEW, pytest.param(Generation.OLD, marks=pytest.mark.faults)], ids=str)
def walked_system(request: pytest.FixtureRequest) -> System:
    """The same, the older one only in the suite of the long tests: each of its changes takes seconds."""
    return _of_generation(request)


@pytest.fixture(params=list(Generation), ids=str)
def each_system(request: pytest.FixtureRequest) -> System:
    """The systems of both generations, one after the other."""
    return _of_generation(request)


def _of_generation(request: pytest.FixtureRequest) -> System:
    name = "system" if request.param is Generation.NEW else "older_system"
    system = request.getfixturevalue(name)
    assert isinstance(system, System)
    return system
