"""The switch of the chat API."""

from pathlib import Path
from typing import Any

import pytest

from buddy_worker.reads.chat import chat_of
from worker.reads.recorded import files_of


def switch(value: Any) -> dict[str, Any]:
    return {"gateway": {"http": {"endpoints": {"chatCompletions": value}}}}


@pytest.mark.parametrize(
    ("config", "enabled"),
    [
        (switch({"enabled": True}), True),
        (switch({"enabled": False}), False),
        (switch({"enabled": "yes"}), False),
        (switch({}), False),
        (switch(None), False),
        ({}, False),
    ],
    ids=str,
)
def test_chat_is_on_only_where_the_file_says_so(
    tmp_path: Path, config: dict[str, Any], *, enabled: bool
) -> None:
    assert chat_of(files_of(tmp_path, config)) == {"enabled": enabled}
