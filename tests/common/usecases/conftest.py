"""Use cases on real processes."""

from pathlib import Path

import pytest

from common.usecases.host import Host, build_host
from fakes.openclaw_program import FakeOpenClaw


@pytest.fixture
def host(fake_openclaw: FakeOpenClaw, tmp_path: Path) -> Host:
    return build_host(fake_openclaw, tmp_path)
