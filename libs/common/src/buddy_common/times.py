"""Times as answers tell them."""

from datetime import UTC, datetime


def utc_text(milliseconds: float | None) -> str | None:
    """Return a moment of so many Unix ms as RFC 3339 in UTC, to the second; None for none."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()
