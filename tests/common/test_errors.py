"""The tree of failures: what clients match on."""

import re
from http import HTTPStatus

import pytest

from buddy_common import errors
from buddy_common.errors import BuddyError, TransientError

ABSTRACT = {BuddyError, TransientError}


def all_errors() -> list[type[BuddyError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, BuddyError) and value not in ABSTRACT
    ]


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_every_error_has_a_slug_of_its_own_and_a_status(error: type[BuddyError]) -> None:
    assert "error" in vars(error)
    assert re.fullmatch(r"[a-z_]+", error.error)
    assert isinstance(error.status, HTTPStatus)
    assert error.status >= HTTPStatus.BAD_REQUEST
    assert error.__name__.endswith("Error")


def test_no_two_errors_share_a_slug() -> None:
    slugs = [BuddyError.error, *(error.error for error in all_errors())]

    assert sorted(slugs) == sorted(set(slugs))


def test_the_tree_is_found() -> None:
    assert len(all_errors()) >= 20


def test_unauthenticated_answer_names_the_scheme() -> None:
    failure = errors.NotAuthenticatedError("Who are you?")

    assert failure.status is HTTPStatus.UNAUTHORIZED
    assert failure.headers == {"WWW-Authenticate": "Bearer"}


def test_too_many_attempts_say_when_to_come_back() -> None:
    failure = errors.TooManyAttemptsError(17)

    assert failure.status is HTTPStatus.TOO_MANY_REQUESTS
    assert failure.headers == {"Retry-After": "17"}
    assert "17 s" in failure.message


def test_other_failures_need_no_headers() -> None:
    assert errors.NotFoundError("Nothing here.").headers == {}


@pytest.mark.parametrize(
    ("failure", "says", "detail"),
    [
        (errors.UnknownNodeError("x", ["a", "b"]), "Known nodes: a, b.", {"known": ["a", "b"]}),
        (errors.UnknownNodeError("x", []), "Known nodes: none yet.", {"known": []}),
        (errors.AmbiguousNodeError(["a", "b"]), "(a, b)", {"known": ["a", "b"]}),
        (errors.UnknownTaskError("task-1"), "'task-1'", {}),
        (errors.BodyTooLargeError(9), "9 bytes", {"limit_bytes": 9}),
        (errors.NoNodeError(), "Is a worker running?", {}),
        (
            errors.NotReportedError("a", "gateway"),
            "its gateway yet. Are its worker and watchdog running?",
            {},
        ),
        (
            errors.NotReportedError("a", "chat", reason="It is broken."),
            "'a' has not reported its chat yet. It is broken.",
            {"reason": "It is broken."},
        ),
        (
            errors.PortTakenError(80, holder="nginx (pid 7)"),
            "Port 80 is taken by nginx (pid 7).",
            {"port": 80, "holder": "nginx (pid 7)"},
        ),
    ],
    ids=lambda part: type(part).__name__,
)
def test_failure_says_what_is_wrong_to_people_and_to_machines(
    failure: BuddyError, says: str, detail: dict[str, object]
) -> None:
    assert says in failure.message
    assert str(failure) == failure.message
    assert failure.detail == detail


def test_only_what_may_pass_by_itself_is_retried() -> None:
    retried = {error.__name__ for error in all_errors() if issubclass(error, TransientError)}

    assert retried == {
        "BrokerUnavailableError",
        "DatabaseUnavailableError",
        "GatewaySilentError",
        "GatewayUnreachableError",
        "NoNodeError",
        "NotReportedError",
        "QueueFullError",
        "ReaderSilentError",
        "ShuttingDownError",
        "StreamBrokenError",
    }
