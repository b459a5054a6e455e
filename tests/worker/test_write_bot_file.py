"""Writing a bot's file as a job: where its workspace is, and what its row holds."""

import asyncio
import json
from pathlib import Path

import pytest

from buddy_common.adapters.agent_files import file_tag
from buddy_common.adapters.refresh_requests import ReadAnswer, RefreshRequests
from buddy_common.adapters.sealed_payloads import new_seal_key
from buddy_common.errors import UnknownBotError
from buddy_common.schemas.bot_file_jobs import WriteBotFileJob
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_worker.runner import execute
from buddy_worker.tasks.bot_files import _write
from buddy_worker.usecases import find_workspace as module
from buddy_worker.usecases.find_workspace import find_workspace
from buddy_worker.wiring import Wiring
from worker.queued import queue, row, view

TEXT = "# 灵魂\n" * 1000


async def publish(w: Wiring, workspace: Path | None, *, bot: str = "main") -> None:
    data = {"bots": [{"id": bot, "workspace": None if workspace is None else str(workspace)}]}
    await w.host.read_model.put(
        "local", Resource.BOTS_MODELS, json.dumps(data), source="file", fresh_seconds=60
    )


async def run(w: Wiring, name: str = "SOUL.md", *, if_match: tuple[str, ...] | None = None) -> TaskView:
    """Queue a job as the api does, and run it."""
    job, apart = WriteBotFileJob(bot="main", name=name, content=TEXT, if_match=if_match).seal()
    key = new_seal_key()
    task_id = await queue(w, job.model_copy(update={"seal_key": key}))
    await w.sealed.put(task_id, apart, key=key, node="local")
    await execute(w, task_id, WriteBotFileJob, _write)
    return await view(w, task_id)


async def test_the_text_is_written_and_its_row_stays_small(w: Wiring, tmp_path: Path) -> None:
    await publish(w, tmp_path)

    task = await run(w)

    assert task.status is TaskStatus.COMPLETED, task.error
    assert (tmp_path / "SOUL.md").read_text() == TEXT
    assert task.target == "main/SOUL.md"
    assert task.result is not None
    assert task.result["size"] == len(TEXT.encode())
    assert task.result["etag"] == file_tag(TEXT.encode())
    stored = (await row(w, task.id)).model_dump_json()
    assert "灵魂" not in stored
    assert len(stored) < 2000


async def test_a_file_that_has_changed_fails_with_its_slug_and_its_tag(w: Wiring, tmp_path: Path) -> None:
    await publish(w, tmp_path)
    (tmp_path / "SOUL.md").write_text("another's")

    task = await run(w, if_match=(file_tag(b"mine"),))

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "file_changed")
    assert task.result == {"file": "SOUL.md", "etag": file_tag(b"another's")}
    assert (tmp_path / "SOUL.md").read_text() == "another's"


async def test_a_file_outside_fails(w: Wiring, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    await publish(w, tmp_path / "workspace")

    task = await run(w, "../SOUL.md")

    assert (task.status, task.errorCode) == (TaskStatus.FAILED, "bad_file")
    assert not (tmp_path / "SOUL.md").exists()


async def test_a_text_that_the_broker_has_lost_is_not_replaced_by_its_summary(
    w: Wiring, tmp_path: Path
) -> None:
    await publish(w, tmp_path)
    job, _ = WriteBotFileJob(bot="main", name="SOUL.md", content=TEXT).seal()
    task_id = await queue(w, job)

    await execute(w, task_id, WriteBotFileJob, _write)

    assert (await view(w, task_id)).errorCode == "secret_lost"
    assert not (tmp_path / "SOUL.md").exists()


async def test_a_bot_that_nobody_knows_is_asked_for_once_and_unknown(
    w: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.1)
    for workspace, bot in ((None, "main"), (Path("/x"), "other")):
        await publish(w, workspace, bot=bot)
        with pytest.raises(UnknownBotError):
            await find_workspace(w.host.read_model, RefreshRequests(w.redis), node="local", bot="main")


async def test_a_bot_that_is_new_is_found_when_the_reader_has_looked(w: Wiring, tmp_path: Path) -> None:
    requests = RefreshRequests(w.redis)

    async def answer() -> None:
        question = await requests.next_question("local", seconds=5)
        assert question is not None
        assert question.resources == [Resource.BOTS_MODELS]
        await publish(w, tmp_path)
        await requests.answer("local", question, ReadAnswer())

    async with asyncio.timeout(8), asyncio.TaskGroup() as group:
        group.create_task(answer())
        found = await find_workspace(w.host.read_model, RefreshRequests(w.redis), node="local", bot="main")

    assert found == tmp_path


async def test_a_workspace_may_be_told_from_the_home(
    w: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    await publish(w, Path("~/here"))

    found = await find_workspace(w.host.read_model, RefreshRequests(w.redis), node="local", bot="main")

    assert found == tmp_path / "here"
