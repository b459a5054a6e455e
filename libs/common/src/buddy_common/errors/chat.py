"""Chats through the gateway, and the quick commands for them."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError, TransientError
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


class ChatDisabledError(BuddyError):
    """The gateway does not answer chats over HTTP."""

    error = "chat_disabled"
    status = HTTPStatus.FORBIDDEN

    def __init__(self) -> None:
        super().__init__("The gateway's chat API is off. `POST /v1/openclaw/chat/enable` turns it on.")


class NoSuchAgentError(NotFoundError):
    """The `model` of a chat names a bot that is not there; the older OpenClaw would make a folder for it."""

    error = "model_not_found"

    def __init__(self, bot: str) -> None:
        super().__init__(f"There is no bot {bot!r}. `GET /v1/openclaw/bots-models` lists them.")


class GatewaySilentError(TransientError):
    """The gateway has the request, but said nothing for too long."""

    error = "gateway_silent"
    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The gateway said nothing for {seconds:.0f} s. `GET /v1/openclaw/status` tells more."
        )


class StreamBrokenError(TransientError):
    """The answer ended before its end."""

    error = "stream_broken"
    status = HTTPStatus.BAD_GATEWAY


class GatewayAnswerError(BuddyError):
    """The gateway answers, but not as the chat API does."""

    error = "gateway_answer"
    status = HTTPStatus.BAD_GATEWAY
