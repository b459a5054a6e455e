"""What an install waits for."""

from pathlib import Path

import pytest


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"
