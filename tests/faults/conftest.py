"""A system with the real OpenClaw that these tests may kill, part by part."""

from collections.abc import Iterator

import pytest

from openclaw_system import System, running_system
from real_openclaw import Generation


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the pinned OpenClaw."""
    with running_system(Generation.NEW, tmp_path_factory.mktemp("faults")) as system:
        yield system
