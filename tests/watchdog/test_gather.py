import pytest

from buddy_watchdog.evidence import seconds_after_boot
from buddy_watchdog.gather import since_exit


@pytest.mark.parametrize(
    ("ended_ago", "alive_ago", "expected"),
    [
        (3.0, 5.0, 3.0),  # it ended after it was seen alive
        (5.2, 5.0, 5.2),  # the same moment, by two clocks
        (500.0, 5.0, None),  # one before it
        (-2.0, 5.0, 0.0),  # the clock was set back
        (500.0, None, 500.0),  # none was seen yet
    ],
)
def test_an_end_is_that_of_the_gateway_that_was_seen_last_or_none(
    ended_ago: float, alive_ago: float | None, expected: float | None
) -> None:
    alive = None if alive_ago is None else seconds_after_boot() - alive_ago
    assert since_exit(ended_ago, alive=alive) == expected
