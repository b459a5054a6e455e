"""A job that is cut off while the gateway makes its change: what there is then is what is told, and kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.change_journal import Side
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.bot_jobs import DeleteBotJob, TemplateBotJob
from buddy_worker.usecases import patch_config
from buddy_worker.usecases.add_bot import add_bot
from buddy_worker.usecases.delete_bot import delete_bot
from buddy_worker.usecases.settle_change import what_is_there
from fakes.gateway import NO_ANSWER, FakeGateway, running
from worker.usecases.scene import RecordingJob, patched, serve_as_gateway

Write = Callable[[dict[str, Any], dict[str, Any]], None]


class SlowGateway:
    """A gateway that has been asked for a change, and makes it when it is told to."""

    def __init__(self, host: HostPlane) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()
        self.file = host.config_files.path
        self.answers = True
        self.fake = FakeGateway({"config.get": {"hash": "h"}})

    def takes(self, method: str, write: Write) -> None:
        """Have it make a change so."""

        async def answer(params: dict[str, Any]) -> Any:
            self.asked.set()
            await self.go_on.wait()
            config = json.loads(await asyncio.to_thread(self.file.read_bytes))
            write(config, params)
            await asyncio.to_thread(self.file.write_text, json.dumps(config))
            return {"ok": True} if self.answers else NO_ANSWER

        self.fake.methods[method] = answer

    async def cut_off(self, work: Coroutine[Any, Any, Any]) -> None:
        """Cancel the job in the middle of that, before the gateway goes on."""
        job = asyncio.create_task(work)
        async with asyncio.timeout(20):
            await self.asked.wait()
            job.cancel()
            for _ in range(100):  # what does not wait for the gateway, is through
                await asyncio.sleep(0)
            self.go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await job


@pytest.fixture
async def gateway(host: HostPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowGateway]:
    slow = SlowGateway(host)
    await serve_as_gateway(host, slow.fake, monkeypatch)
    async with running(slow.fake):
        yield slow


@pytest.fixture
def soul(unused_host: HostPlane) -> Path:
    """The file of a bot `b` that is there."""
    file = unused_host.config_files.path
    config = json.loads(file.read_text())
    config["agents"] = {"entries": {"main": {}, "b": {"name": "b"}}}
    file.write_text(json.dumps(config))
    made = unused_host.gateway_settings.config_dir / "workspace-b" / "SOUL.md"
    made.parent.mkdir()
    made.write_text("soul")
    return made


def without_bot(config: dict[str, Any], params: dict[str, Any]) -> None:
    """Do as `agents.delete` does."""
    del config["agents"]["entries"][params["agentId"]]


async def add(job: RecordingJob) -> None:
    await add_bot(
        job.as_job(),
        bot="new",
        name="new",
        emoji=None,
        model=None,
        workspace=None,
        files={"SOUL.md": "soul"},
        base_hash=None,
    )


async def test_a_bot_that_the_gateway_was_about_to_add_keeps_its_files(
    host: HostPlane, job: RecordingJob, gateway: SlowGateway
) -> None:
    gateway.takes("config.patch", patched)

    await gateway.cut_off(add(job))

    assert "new" in json.loads(gateway.file.read_bytes())["agents"]["entries"]
    assert (host.gateway_settings.config_dir / "workspace-new" / "SOUL.md").read_text() == "soul"
    told = await asyncio.to_thread(what_is_there, host, job.task_id, TemplateBotJob)
    assert told == Side.NEW.shown


async def test_a_bot_that_the_gateway_was_about_to_delete_is_in_the_archive(
    host: HostPlane, job: RecordingJob, gateway: SlowGateway, soul: Path
) -> None:
    gateway.takes("agents.delete", without_bot)

    await gateway.cut_off(delete_bot(job.as_job(), bot="b", base_hash=None))

    assert not await asyncio.to_thread(soul.exists)
    kept = await asyncio.to_thread(host.bot_archive.find, "b", None)
    assert (await asyncio.to_thread(host.bot_archive.held, kept)).folders == {"workspace": str(soul.parent)}
    told = await asyncio.to_thread(what_is_there, host, job.task_id, DeleteBotJob)
    assert told == Side.NEW.shown


@pytest.mark.parametrize("stopping", [True, False])
async def test_a_gateway_that_never_answers_holds_a_job_that_is_cut_off_for_a_while_only(
    job: RecordingJob, gateway: SlowGateway, monkeypatch: pytest.MonkeyPatch, *, stopping: bool
) -> None:
    """Less long where the worker stops."""
    monkeypatch.setattr(patch_config, "STOPPING_SECONDS", 0.01 if stopping else 60)
    monkeypatch.setattr(patch_config, "CUT_OFF_SECONDS", 60 if stopping else 0.01)
    job.stopping = stopping
    gateway.answers = False
    gateway.takes("config.patch", patched)

    await gateway.cut_off(add(job))
