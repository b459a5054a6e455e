"""Where the real OpenClaw is, as the person who runs the tests has set it up."""

import pytest

from buddy_common.adapters.openclaw_program import OpenClawProgram, locate_openclaw
from buddy_common.errors import OpenClawNotFoundError
from buddy_common.settings import HomeSettings, OpenClawSettings

# read before any test takes the environment away
_SETTINGS = OpenClawSettings()
_RUNTIME = HomeSettings().runtime

marked: set[str] = set()
tests_run = 0


def locate() -> OpenClawProgram:
    """Return the real program, or fail the test that asks."""
    try:
        return locate_openclaw(_SETTINGS, _RUNTIME)
    except OpenClawNotFoundError as exc:
        pytest.fail(f"{exc.message} The tests need it too: `make openclaw` installs it.")


def summary() -> str:
    """Return the line for the end of a test run."""
    try:
        program = locate_openclaw(_SETTINGS, _RUNTIME)
    except OpenClawNotFoundError as exc:
        return f"OpenClaw: none ({exc.message}); {tests_run} tests ran against it"
    return f"OpenClaw {program.version}: {tests_run} tests ran against the real program"
