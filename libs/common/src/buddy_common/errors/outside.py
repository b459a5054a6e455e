"""What Buddy itself depends on and does not get."""

from http import HTTPStatus
from typing import Any

from buddy_common.errors.base import BuddyError, TransientError


class BrokerUnavailableError(TransientError):
    """Redis did not answer in time."""

    error = "broker_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, problem: str, **detail: Any) -> None:
        super().__init__(f"{problem} Is Redis up? `buddy status` tells. Then try again.", **detail)


class DatabaseUnavailableError(TransientError):
    """The database did not answer, or has no schema yet."""

    error = "database_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class NoNodeError(TransientError):
    """No host plane has registered yet, so there is nothing to operate."""

    error = "no_node"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("No node has registered yet. Is a worker running?")


class NotReportedError(TransientError):
    """The node exists, but has not published this resource yet."""

    error = "not_reported"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, node: str, resource: str, *, reason: str = "") -> None:
        super().__init__(
            f"Node {node!r} has not reported its {resource} yet. "
            f"{reason or 'Are its worker and watchdog running?'}",
            **({"reason": reason} if reason else {}),
        )


class ReaderSilentError(TransientError):
    """The node's worker did not answer in time."""

    error = "reader_silent"
    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, node: str) -> None:
        super().__init__(f"Node {node!r} did not answer in time. Is its worker running? Then try again.")


class StateUnwritableError(BuddyError):
    """Buddy's own files on this host cannot be written: a full disk, or missing permissions."""

    error = "state_unwritable"
    status = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} Free space, or give Buddy's user the right to write there.")


class NoProxyError(BuddyError):
    """The node has no proxy that streams could go through."""

    error = "no_proxy"
    status = HTTPStatus.NOT_IMPLEMENTED

    def __init__(self, node: str) -> None:
        super().__init__(
            f"Node {node!r} has no proxy here, so its chats, panel and terminals cannot be reached. Start"
            " `buddy_proxy` beside its gateway, and name its address there by BUDDY_PROXY_URL."
        )
