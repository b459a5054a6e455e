"""The guard of the whole suite against blocking calls must itself be able to fail."""

from pathlib import Path

import pytest
from blockbuster import BlockingError

from buddy_common.adapters.config_file import read_config


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "openclaw.json"
    file.write_text("{}")
    return file


async def test_a_blocking_call_of_our_code_in_the_loop_is_caught(config_file: Path) -> None:
    with pytest.raises(BlockingError):
        read_config(config_file)
