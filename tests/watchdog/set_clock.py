"""A clock that somebody sets in the middle of everything."""

from datetime import UTC, datetime, timedelta


class SetClock:
    """Goes as the machine's does, but for what it was set by."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def set_by(self, hours: float) -> None:
        """Set it back, or forward."""
        self.off = timedelta(hours=hours)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off
