"""OpenClaw judges a config before it is written."""

import asyncio
import errno
import os
from typing import Any

import pytest

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import (
    ConfigRejectedError,
    OpenClawCliError,
    OpenClawNotFoundError,
    StateUnwritableError,
)
from buddy_common.usecases.validate_config import validate_config
from fakes.openclaw_program import FakeOpenClaw
from worker.usecases.scene import RecordingJob

CONFIG: dict[str, Any] = {"gateway": {"mode": "local"}, "名": "🦞"}
SAYS_ITS_VERSION = 'if [ "$1" = --version ]; then echo "OpenClaw 2026.9.6"; exit; fi'


async def test_a_config_that_openclaw_takes_is_let_through_and_nothing_is_left(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw
) -> None:
    before = fake_openclaw.config_file.read_bytes()

    await validate_config(host, job.as_job(), CONFIG)

    assert job.commands == ["openclaw config validate"]
    assert len(job.processes) == 1
    assert not host.candidate_file.exists()
    assert fake_openclaw.config_file.read_bytes() == before


async def test_a_config_that_openclaw_refuses_is_refused_in_its_words(
    host: HostPlane, job: RecordingJob
) -> None:
    with pytest.raises(ConfigRejectedError) as caught:
        await validate_config(host, job.as_job(), CONFIG | {"fake": {"invalid": "Unrecognized key: nope"}})

    assert "fake: Unrecognized key: nope" in caught.value.message
    assert "Nothing was written" in caught.value.message
    assert str(host.candidate_file) not in caught.value.message
    assert not host.candidate_file.exists()


@pytest.mark.parametrize(
    ("script", "code"), [("exit 2", 2), ("exit 7", 7), ("kill -9 $$", None), ("echo no JSON", 0)]
)
async def test_a_validation_that_comes_to_no_result_is_told_and_is_no_refusal(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw, script: str, code: int | None
) -> None:
    fake_openclaw.program.write_text(f"#!/bin/sh\n{SAYS_ITS_VERSION}\n{script}\n")

    with pytest.raises(OpenClawCliError) as caught:
        await validate_config(host, job.as_job(), CONFIG)

    assert caught.value.exit_code == code
    assert "refuses" not in caught.value.message
    assert not host.candidate_file.exists()


async def test_what_openclaw_warns_of_is_told(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw
) -> None:
    answer = '{"valid": true, "warnings": [{"path": "agents", "message": "Moved."}, 5]}'
    fake_openclaw.program.write_text(f"#!/bin/sh\n{SAYS_ITS_VERSION}\necho '{answer}'\n")

    await validate_config(host, job.as_job(), CONFIG)

    assert job.lines == ["OpenClaw warns: agents: Moved."]


async def test_the_candidate_is_private_while_it_is_judged(
    host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []

    async def look(*_: Any) -> None:
        modes.append(await asyncio.to_thread(lambda: host.candidate_file.stat().st_mode & 0o777))

    monkeypatch.setattr(job, "runs", look)

    await validate_config(host, job.as_job(), CONFIG)

    assert modes == [0o600]


async def test_a_program_that_is_gone_is_told_and_nothing_is_left(
    host: HostPlane, job: RecordingJob, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.program.unlink()

    with pytest.raises(OpenClawNotFoundError):
        await validate_config(host, job.as_job(), CONFIG)

    assert not host.candidate_file.exists()


async def test_a_full_disk_is_told(
    host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StateUnwritableError, match="No space left"):
        await validate_config(host, job.as_job(), CONFIG)

    assert not host.candidate_file.exists()
    assert await asyncio.to_thread(list, host.candidate_file.parent.glob("*candidate*")) == []


async def test_a_cancelled_validation_leaves_nothing(
    host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()

    async def say(*_: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(job, "runs", say)
    validating = asyncio.create_task(validate_config(host, job.as_job(), CONFIG))
    async with asyncio.timeout(5):
        await started.wait()

    validating.cancel()

    with pytest.raises(asyncio.CancelledError):
        await validating
    assert not host.candidate_file.exists()
