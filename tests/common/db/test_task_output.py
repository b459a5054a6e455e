"""Output of tasks."""

from sqlmodel import col, select

from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskOutputRow, TaskRow
from common.db.task_rows import add_task


def add_output(database: Database, task_id: str, first_seq: int, lines: list[str]) -> None:
    database.call(lambda session: tasks.add_output(session, task_id, first_seq=first_seq, lines=lines))


def output_of(database: Database, task_id: str) -> list[str]:
    task = database.call(lambda session: tasks.view(session, task_id))
    assert task is not None
    return task.output


def test_view_holds_the_last_200_lines_oldest_first(database: Database) -> None:
    task_id, other = add_task(database), add_task(database)
    for first in range(0, 250, 50):
        add_output(database, task_id, first, [f"line {seq}" for seq in range(first, first + 50)])
    add_output(database, other, 0, ["only one"])

    assert output_of(database, task_id) == [f"line {seq}" for seq in range(50, 250)]
    assert output_of(database, other) == ["only one"]


def test_output_keeps_whatever_was_written(database: Database) -> None:
    task_id = add_task(database)
    lines = ["", "  indented", "中文 🦞", "x" * 10_000, "a'; DROP TABLE tasks; --"]

    add_output(database, task_id, 0, lines)

    assert output_of(database, task_id) == lines


def test_output_goes_with_its_task(database: Database) -> None:
    task_id = add_task(database)
    add_output(database, task_id, 0, ["a", "b"])

    database.call(lambda session: session.delete(session.get(TaskRow, task_id)))

    assert database.call(lambda session: session.exec(select(col(TaskOutputRow.seq))).all()) == []


def lines_after(database: Database, task_id: str, seq: int, *, limit: int = 1000) -> list[tuple[int, str]]:
    rows = database.call(lambda session: tasks.output_after(session, task_id, seq, limit=limit))
    return [(row.seq, row.line) for row in rows]


def test_output_after_a_line_comes_in_order(database: Database) -> None:
    task_id, other = add_task(database), add_task(database)
    add_output(database, task_id, 2, ["c", "d"])
    add_output(database, task_id, 0, ["a", "b"])
    add_output(database, other, 0, ["x"] * 9)

    assert lines_after(database, task_id, -1) == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    assert lines_after(database, task_id, 1) == [(2, "c"), (3, "d")]
    assert lines_after(database, task_id, 3) == []


def test_pages_of_output_have_no_gap_and_no_duplicate(database: Database) -> None:
    task_id = add_task(database)
    add_output(database, task_id, 0, [f"line {seq}" for seq in range(7)])
    seen: list[tuple[int, str]] = []
    while page := lines_after(database, task_id, seen[-1][0] if seen else -1, limit=3):
        assert len(page) <= 3
        seen += page

    assert seen == [(seq, f"line {seq}") for seq in range(7)]


def test_unknown_task_has_no_output(database: Database) -> None:
    assert lines_after(database, "task-0-0", -1) == []


def test_next_line_comes_after_all_that_were_written(database: Database) -> None:
    task_id, other = add_task(database), add_task(database)
    add_output(database, other, 0, ["x"] * 9)

    def next_seq() -> int:
        return database.call(lambda session: tasks.next_seq(session, task_id))

    assert next_seq() == 0
    add_output(database, task_id, 0, ["a", "b"])
    assert next_seq() == 2


def test_lines_whose_commit_went_unanswered_may_come_again(database: Database) -> None:
    task_id = add_task(database)
    add_output(database, task_id, 0, ["a", "b"])

    add_output(database, task_id, 0, ["a", "b", "c"])

    assert output_of(database, task_id) == ["a", "b", "c"]
