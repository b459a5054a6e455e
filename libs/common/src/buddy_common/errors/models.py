"""Why a provider of models cannot be asked."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import InvalidRequestError


class UnsupportedApiError(InvalidRequestError):
    """Buddy does not speak what the provider speaks, or does not know where it is."""

    error = "unsupported_api"


class UnresolvedKeyError(BuddyError):
    """openclaw.json refers to a key or another text that is not to be had outside of OpenClaw."""

    error = "unresolved_key"
    status = HTTPStatus.CONFLICT
