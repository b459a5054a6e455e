"""Times that clients send."""

from datetime import datetime

from buddy_common.errors import InvalidRequestError

# beyond these, a change of the zone leaves the calendar
FIRST_YEAR, LAST_YEAR = 1970, 9998


def require_moment(name: str, moment: datetime | None) -> datetime | None:
    """Return the time of a parameter.

    Raises:
        InvalidRequestError: it has no zone, or lies outside of what a database keeps.
    """
    if moment is not None and (moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR):
        raise InvalidRequestError.of_field(name, "give a time with its zone, as in 2026-03-28T10:00:00Z")
    return moment
