"""The quick commands of the chat."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import NotFoundError


class UnknownQuickCommandError(NotFoundError):
    """The node has no quick command of this id."""

    error = "unknown_quick_command"

    def __init__(self, command_id: int) -> None:
        super().__init__(
            f"There is no quick command {command_id}. `GET /v1/openclaw/chat/quick-commands` lists them."
        )


class SystemCommandError(BuddyError):
    """What Buddy brings along stays."""

    error = "system_command"
    status = HTTPStatus.FORBIDDEN

    def __init__(self, label: str) -> None:
        super().__init__(f"{label!r} is a system command, which stays. Only commands that were added can go.")
