"""The gateway's process, its port and its connection."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError, TransientError


class PortTakenError(BuddyError):
    """Another program listens where the gateway should; `holder` names it."""

    error = "port_taken"
    status = HTTPStatus.CONFLICT

    def __init__(self, port: int, *, holder: str) -> None:
        super().__init__(
            f"Port {port} is taken by {holder}. Stop it, or give the gateway another port.",
            port=port,
            holder=holder,
        )


class GatewayStartError(BuddyError):
    """The gateway ended or never came up; the message holds its own reason."""

    error = "gateway_start_failed"
    status = HTTPStatus.BAD_GATEWAY


class GatewayStopError(BuddyError):
    """The gateway is still there after SIGKILL."""

    error = "gateway_stop_failed"
    status = HTTPStatus.BAD_GATEWAY


class ServiceManagerError(BuddyError):
    """systemd or launchd did not do what was asked; the message names the command for people."""

    error = "service_manager_failed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, order: str, *, reason: str, by_hand: str, timed_out: bool = False) -> None:
        super().__init__(f"{order} failed: {reason.rstrip('.')}. Try `{by_hand}`.", by_hand=by_hand)
        self.timed_out = timed_out  # it may be obeyed yet


class GatewayUnreachableError(TransientError):
    """The gateway gave no answer before its deadline, or there is none."""

    error = "gateway_unreachable"
    status = HTTPStatus.BAD_GATEWAY


class GatewayNotRunningError(BuddyError):
    """No gateway runs that could do what was asked."""

    error = "gateway_not_running"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, purpose: str) -> None:
        super().__init__(f"No gateway runs that could {purpose}. `POST /v1/gateway/start` starts it.")


class GatewayBusyError(BuddyError):
    """The gateway is at work and answers nothing, so nobody could see what it makes of a change."""

    error = "gateway_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The gateway is busy and has answered nothing for {seconds:.0f} s, so the change was given up."
            " Ask again once it answers."
        )


class GatewayRefusedError(BuddyError):
    """The gateway does not let Buddy in; `code` is its own word for why."""

    error = "gateway_refused"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(
            f"The gateway does not let Buddy in: {reason.rstrip('.')}. Is `gateway.auth` of openclaw.json"
            " what the gateway was started with?",
            code=code,
        )


class GatewayRpcError(BuddyError):
    """The gateway refused a call; `code` is its own."""

    error = "gateway_rpc_failed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(
        self, method: str, *, code: str, reason: str, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"The gateway refused `{method}`: {reason}", method=method, code=code)
        self.code = code
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds  # where it would take the same call later


class GatewayElsewhereError(BuddyError):
    """The gateway runs in a container that Buddy does not share, and that would start it again."""

    error = "gateway_elsewhere"
    status = HTTPStatus.CONFLICT

    def __init__(self, process: str) -> None:
        super().__init__(
            f"The gateway, {process}, runs in another container. Stop and start it there"
            " (`docker restart …`), or let Buddy's worker share that container's processes."
        )


class GatewayOfAnotherAccountError(BuddyError):
    """The gateway is another account's process: Buddy could end it, but not start one that is as good."""

    error = "gateway_of_another_account"
    status = HTTPStatus.CONFLICT

    def __init__(self, process: str, *, account: str) -> None:
        super().__init__(
            f"The gateway, {process}, runs as {account}. Run Buddy as {account}, or end it there first.",
            account=account,
        )
