"""What every failure of Buddy has."""

from http import HTTPStatus
from typing import Any, ClassVar


class BuddyError(Exception):
    """A failure with a slug for machines, a status for HTTP and a sentence for people."""

    error: ClassVar[str] = "internal_error"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this failure."""
        return {}


class TransientError(BuddyError):
    """The same call may succeed later, so retrying is allowed. Nothing else is retried."""


class SetupError(BuddyError):
    """The operator must change something before Buddy can start; one line says what."""

    error = "setup"
    exit_code: ClassVar[int] = 1
