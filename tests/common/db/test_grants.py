"""Sessions and tickets."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from buddy_common.db import grants
from buddy_common.db.engine import Database
from buddy_common.db.grants import GrantKind
from buddy_common.db.tables import AccessGrantRow
from common.racing import race

KEY = b"the token"
MINUTE = timedelta(minutes=1)
GONE = timedelta(seconds=-1)


def issue(database: Database, kind: GrantKind, lifetime: timedelta = MINUTE) -> str:
    return database.call(
        lambda session: grants.issue(session, kind, key=KEY, lifetime=lifetime, address="203.0.113.7")
    )


def is_valid(database: Database, secret: str) -> bool:
    return database.call(lambda session: grants.session_is_valid(session, secret, key=KEY))


def redeem(database: Database, secret: str) -> bool:
    return database.call(lambda session: grants.redeem_ticket(session, secret, key=KEY))


def end(database: Database, secret: str) -> bool:
    return database.call(lambda session: grants.end_session(session, secret, key=KEY))


def test_session_is_valid_again_and_again(database: Database) -> None:
    secret = issue(database, GrantKind.SESSION)

    assert is_valid(database, secret)
    assert is_valid(database, secret)
    assert not is_valid(database, secret + "x")
    assert not is_valid(database, "")


def test_session_ends_when_its_time_is_over(database: Database) -> None:
    secret = issue(database, GrantKind.SESSION, GONE)

    assert not is_valid(database, secret)
    assert not end(database, secret)


def test_ended_session_is_not_valid_any_more(database: Database) -> None:
    secret, other = issue(database, GrantKind.SESSION), issue(database, GrantKind.SESSION)

    assert end(database, secret)

    assert not is_valid(database, secret)
    assert not end(database, secret)
    assert is_valid(database, other)


def test_ticket_works_once(database: Database) -> None:
    secret = issue(database, GrantKind.TICKET)

    assert redeem(database, secret)
    assert not redeem(database, secret)


def test_ticket_is_too_late_when_its_time_is_over(database: Database) -> None:
    assert not redeem(database, issue(database, GrantKind.TICKET, GONE))


def test_of_twenty_who_use_one_ticket_at_once_one_gets_in(database: Database) -> None:
    secret = issue(database, GrantKind.TICKET)

    answers = race(20, lambda: redeem(database, secret))

    assert sorted(answers) == [*[False] * 19, True]


def test_ticket_is_no_session_and_a_session_no_ticket(database: Database) -> None:
    ticket, session = issue(database, GrantKind.TICKET), issue(database, GrantKind.SESSION)

    assert not is_valid(database, ticket)
    assert not end(database, ticket)
    assert not redeem(database, session)

    assert redeem(database, ticket)
    assert is_valid(database, session)


def test_secrets_are_long_and_differ(database: Database) -> None:
    secrets = {issue(database, GrantKind.TICKET) for _ in range(10)}

    assert len(secrets) == 10
    assert min(map(len, secrets)) >= 43  # 256 bits


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", GrantKind)
def test_only_a_hash_reaches_the_disk(database: Database, tmp_path: Path, kind: GrantKind) -> None:
    secret = issue(database, kind)

    files = list(tmp_path.glob("test.db*"))
    content = b"".join(file.read_bytes() for file in files)

    assert secret.encode() not in content
    (row,) = database.call(lambda session: session.exec(select(AccessGrantRow)).all())
    assert row.secret_hash.encode() in content  # so it was the right place to look
    assert (row.kind, row.address) == (kind, "203.0.113.7")


def test_expired_grants_are_swept_out_with_the_next_one(database: Database) -> None:
    issue(database, GrantKind.TICKET, GONE)
    issue(database, GrantKind.SESSION, GONE)
    kept = issue(database, GrantKind.SESSION)
    issue(database, GrantKind.TICKET)

    rows = database.call(lambda session: session.exec(select(AccessGrantRow)).all())

    assert len(rows) == 2
    assert is_valid(database, kept)


def test_a_session_dies_with_the_token_that_it_was_issued_under(database: Database) -> None:
    secret = issue(database, GrantKind.SESSION)

    assert not database.call(lambda s: grants.session_is_valid(s, secret, key=b"another token"))
    assert is_valid(database, secret)
