"""Output of tasks, and how many tasks there are."""

from sqlmodel import col, select

from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskOutputRow, TaskRow
from buddy_common.schemas.jobs import RestartGatewayJob


def add_task(database: Database, *, node: str = "local") -> str:
    return database.call(lambda session: tasks.add(session, RestartGatewayJob(), node=node, actor="admin").id)


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


def test_tasks_are_counted_by_node_and_status(database: Database) -> None:
    running = add_task(database)
    database.call(lambda session: tasks.claim(session, running, owner="worker-1"))
    for node in ("local", "local", "vps-1"):
        add_task(database, node=node)

    counts = database.call(tasks.count_by_status)

    assert counts == {("local", "Queued"): 2, ("local", "Running"): 1, ("vps-1", "Queued"): 1}
