"""Two claimers of one task whose transactions overlap: the second waits to see what becomes of the first."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from buddy_common.db import task_claims
from buddy_common.db.engine import Database
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from common.db.task_rows import add_task, claim, row_of


class SecondClaim:
    """A claim in a thread of its own; `under_way` once its UPDATE is on its way to the database."""

    def __init__(self, database: Database, task_id: str) -> None:
        self._database = database
        self._task_id = task_id
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="second")
        self.under_way = threading.Event()
        self.outcome: Future[int | None] | None = None
        event.listen(database.engine, "before_cursor_execute", self._note)

    def start(self) -> None:
        self.outcome = self._pool.submit(claim, self._database, self._task_id, "second")
        assert self.under_way.wait(timeout=5)
        assert not self.outcome.done()

    def epoch(self) -> int | None:
        assert self.outcome is not None
        return self.outcome.result(timeout=5)

    def close(self) -> None:
        event.remove(self._database.engine, "before_cursor_execute", self._note)
        self._pool.shutdown()

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE tasks") and threading.current_thread().name.startswith("second"):
            self.under_way.set()


@pytest.fixture
def task_id(database: Database) -> str:
    return add_task(database)


@pytest.fixture
def second(database: Database, task_id: str) -> Iterator[SecondClaim]:
    second = SecondClaim(database, task_id)
    yield second
    second.close()


def claim_first(session: Session, task_id: str, second: SecondClaim) -> None:
    """Claim as the first, in a transaction that is still open when the second asks for the same row."""
    assert task_claims.claim(session, task_id, RestartGatewayJob, owner="first") is not None
    second.start()


def test_claim_that_meets_another_which_commits_goes_away_empty_handed(
    database: Database, task_id: str, second: SecondClaim
) -> None:
    database.call(lambda session: claim_first(session, task_id, second))

    assert second.epoch() is None
    row = row_of(database, task_id)
    assert (row.owner, row.epoch) == ("first", 1)


def test_claim_that_meets_another_which_rolls_back_gets_the_task(
    database: Database, task_id: str, second: SecondClaim
) -> None:
    def claim_and_fail(session: Session) -> None:
        claim_first(session, task_id, second)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.call(claim_and_fail)

    assert second.epoch() == 1
    row = row_of(database, task_id)
    assert (row.owner, row.epoch) == ("second", 1)
