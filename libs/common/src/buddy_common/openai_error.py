"""What a failure looks like to clients of OpenAI's chat API, whichever of our services tells them."""

from http import HTTPStatus
from typing import Any

from buddy_common.errors import BuddyError

_KINDS = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


def openai_error(exc: BuddyError) -> dict[str, Any]:
    """Return the body that clients of the chat API understand."""
    kind = "server_error" if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {
        "error": {
            "message": exc.message,
            "type": _KINDS.get(exc.status, kind),
            "param": None,
            "code": exc.error,
        }
    }
