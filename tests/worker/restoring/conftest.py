"""A node of the test's own."""

from pathlib import Path

import pytest

from buddy_common.adapters.config_history import ConfigHistory
from common.usecases.host import build_host
from fakes.openclaw_program import FakeOpenClaw
from worker.restoring.scene import Node


@pytest.fixture
def node(fake_openclaw: FakeOpenClaw, tmp_path: Path) -> Node:
    return Node(
        fake_openclaw, build_host(fake_openclaw, tmp_path), ConfigHistory(tmp_path / "backups", keep=9)
    )
