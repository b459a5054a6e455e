"""What is wrong with a request, or with whoever sent it."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError, TransientError


class InvalidRequestError(BuddyError):
    """The request is malformed; the message names the field."""

    error = "invalid_request"
    status = HTTPStatus.BAD_REQUEST

    @classmethod
    def of_field(cls, field: str, problem: str) -> "InvalidRequestError":
        """Return one whose `fields` name the field, as they do where a schema refuses one."""
        return cls(f"{field}: {problem}", fields=[{"field": field, "problem": problem}])


class NotAuthenticatedError(BuddyError):
    """The request carries no valid credential."""

    error = "unauthorized"
    status = HTTPStatus.UNAUTHORIZED

    @property
    def headers(self) -> dict[str, str]:
        """Name the scheme, as RFC 9110 section 11.6.1 asks."""
        return {"WWW-Authenticate": "Bearer"}


class CrossOriginError(BuddyError):
    """A cookie came with a change from a page that is not ours."""

    error = "cross_origin"
    status = HTTPStatus.FORBIDDEN


class NotFoundError(BuddyError):
    """There is nothing at this path."""

    error = "not_found"
    status = HTTPStatus.NOT_FOUND


class UnknownNodeError(NotFoundError):
    """No node of that name has ever registered."""

    error = "unknown_node"

    def __init__(self, node: str, known: list[str]) -> None:
        names = ", ".join(known) or "none yet"
        super().__init__(f"There is no node {node!r}. Known nodes: {names}.", known=known)


class AmbiguousNodeError(InvalidRequestError):
    """There are several nodes and none was named."""

    error = "node_required"

    def __init__(self, known: list[str]) -> None:
        super().__init__(
            f"There are several nodes ({', '.join(known)}): name one by `?node=` or `X-Buddy-Node`.",
            known=known,
        )


class TooManyAttemptsError(BuddyError):
    """This address tried too often."""

    error = "too_many_attempts"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int, *, is_first: bool = True) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds
        self.is_first = is_first  # in this minute: further ones are not worth a record

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"Retry-After": str(self.retry_after_seconds)}


class BodyTooLargeError(BuddyError):
    """The request body is larger than this server takes."""

    error = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes} bytes.", limit_bytes=limit_bytes)


class BodyTooSlowError(BuddyError):
    """The request body did not come in whole in the time that it may take."""

    error = "body_too_slow"
    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(f"The body did not come in within {limit_seconds:.0f} s.")


class ClientTooSlowError(BuddyError):
    """A client takes nothing of its answer, which is held up for it at the gateway."""

    error = "client_too_slow"
    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self, limit_seconds: float) -> None:
        super().__init__(f"The client took nothing of its answer for {limit_seconds:.0f} s. Ask again.")


class TooManyConnectionsError(BuddyError):
    """This address has as many streams and sockets open as one may have."""

    error = "too_many_connections"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} connections are open from this address already. Close some, or raise"
            " BUDDY_PROXY_CONNECTIONS_PER_CLIENT.",
            limit=limit,
        )

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"Retry-After": "5"}


class ShuttingDownError(TransientError):
    """This process was told to stop and takes nothing new."""

    error = "shutting_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("Buddy is stopping or restarting. Try again in a few seconds.")

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"Retry-After": "5"}


class TooManyTerminalsError(BuddyError):
    """As many terminals are open as there may be."""

    error = "too_many_terminals"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} terminals are open already. Close one, or raise BUDDY_TERMINALS.", limit=limit
        )


class UnknownCommandError(InvalidRequestError):
    """The restricted shell does not run this."""

    error = "unknown_command"

    def __init__(self, known: list[str]) -> None:
        super().__init__(
            f"This is none of the commands that are allowed here: {', '.join(known)}.", known=known
        )
