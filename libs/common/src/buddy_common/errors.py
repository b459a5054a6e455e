"""Every failure that Buddy reports, as one tree: each class names its slug and its HTTP status."""

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


class InvalidRequestError(BuddyError):
    """The request is malformed; the message names the field."""

    error = "invalid_request"
    status = HTTPStatus.BAD_REQUEST


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


class UnknownTaskError(NotFoundError):
    """No task has this id."""

    error = "unknown_task"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"There is no task {task_id!r}. `GET /v1/tasks/status` lists the tasks of a node.")


class TooManyAttemptsError(BuddyError):
    """This address tried too often."""

    error = "too_many_attempts"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds

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

    def __init__(self, node: str, resource: str) -> None:
        super().__init__(
            f"Node {node!r} has not reported its {resource} yet. Are its worker and watchdog running?"
        )


class OpenClawNotFoundError(BuddyError):
    """There is no `openclaw` program on this node."""

    error = "openclaw_not_found"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class UnusableNodeError(OpenClawNotFoundError):
    """`openclaw` is there, but refuses the Node.js that it was given."""

    error = "unusable_node"


class GatewayConfigError(BuddyError):
    """`openclaw.json` cannot be read as the JSON5 object that it must be."""

    error = "config_unreadable"
    status = HTTPStatus.CONFLICT

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} Correct the file; Buddy writes over no file that it cannot read.")


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

    def __init__(self, order: str, *, reason: str, by_hand: str) -> None:
        super().__init__(f"{order} failed: {reason.rstrip('.')}. Try `{by_hand}`.", by_hand=by_hand)


class ProgramStartError(BuddyError):
    """A program that a job needs could not be executed; the message names it and says why."""

    error = "program_start_failed"
    status = HTTPStatus.BAD_GATEWAY


class OpenClawCliError(BuddyError):
    """The `openclaw` command failed; the message holds its own reason."""

    error = "openclaw_cli_failed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, message: str, *, exit_code: int | None, signal: str | None) -> None:
        super().__init__(message, exit_code=exit_code, signal=signal)
        self.exit_code = exit_code
        self.signal = signal


class UnknownBotError(NotFoundError):
    """OpenClaw has no bot of this id."""

    error = "unknown_bot"

    def __init__(self, bot: str) -> None:
        super().__init__(f"There is no bot {bot!r}. `GET /v1/openclaw/bots-models` lists them.", bot=bot)


class UnknownBotFileError(NotFoundError):
    """The bot's workspace has no such file."""

    error = "unknown_file"

    def __init__(self, name: str) -> None:
        super().__init__(f"The bot has no file {name!r} yet.", file=name)


class BotFileError(BuddyError):
    """The file cannot be read as a text of the bot's workspace."""

    error = "bad_file"
    status = HTTPStatus.BAD_REQUEST


class ReaderSilentError(TransientError):
    """The node's worker did not answer in time."""

    error = "reader_silent"
    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, node: str) -> None:
        super().__init__(f"Node {node!r} did not answer in time. Is its worker running? Then try again.")


class GatewayUnreachableError(TransientError):
    """The gateway gave no answer before its deadline, or there is none."""

    error = "gateway_unreachable"
    status = HTTPStatus.BAD_GATEWAY


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

    def __init__(self, method: str, *, code: str, reason: str) -> None:
        super().__init__(f"The gateway refused `{method}`: {reason}", method=method, code=code)
        self.code = code
        self.reason = reason


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


class StateUnwritableError(BuddyError):
    """Buddy's own files on this host cannot be written: a full disk, or missing permissions."""

    error = "state_unwritable"
    status = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} Free space, or give Buddy's user the right to write there.")


class PluginNotInstalledError(BuddyError):
    """OpenClaw reported success, but the plugin is not there."""

    error = "plugin_not_installed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} The output of the task shows what it said.")


class DeadlineExceededError(BuddyError):
    """A job was not done in the time that its kind may take."""

    error = "deadline_exceeded"
    status = HTTPStatus.GATEWAY_TIMEOUT


class JobInterruptedError(BuddyError):
    """A job's worker was stopped before the job was done."""

    error = "interrupted"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} `POST /v1/tasks/{{id}}/retry` does it again.")


class JobCancelledError(BuddyError):
    """Somebody asked for the end of a job; what it had done by then stays done."""

    error = "cancelled"
    status = HTTPStatus.CONFLICT

    def __init__(self, stage: str | None = None) -> None:
        super().__init__(f"Cancelled while: {stage}." if stage else "Cancelled.")


class TaskHasEndedError(BuddyError):
    """The task has ended, so there is nothing to cancel."""

    error = "task_ended"
    status = HTTPStatus.CONFLICT

    def __init__(self, task_id: str, *, outcome: str) -> None:
        super().__init__(f"The task {task_id!r} has ended already: {outcome}.", status=outcome)


class TaskNotRetryableError(BuddyError):
    """Only a task that ended without success can be tried again."""

    error = "task_not_retryable"
    status = HTTPStatus.CONFLICT


class IdempotencyConflictError(BuddyError):
    """The `Idempotency-Key` came with another request before."""

    error = "idempotency_conflict"
    status = HTTPStatus.CONFLICT


class InvalidPayloadError(BuddyError):
    """A job's row does not fit the schema of its kind: it was written by another version."""

    error = "invalid_payload"


class SetupError(BuddyError):
    """The operator must change something before Buddy can start; one line says what."""

    error = "setup"
    exit_code: ClassVar[int] = 1
