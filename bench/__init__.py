"""Measurements: each figure stands beside a reference that was measured in the same run."""

import sys
from pathlib import Path

# the stand-ins and the real OpenClaw are those of the tests
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
