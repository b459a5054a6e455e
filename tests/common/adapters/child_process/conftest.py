"""Who runs a program."""

from pathlib import Path

import pytest

from common.adapters.child_process.caller import Caller


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)
