"""Whether a gateway has taken an edit in: it says so, or has had its time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_worker.reads import taken_in as module
from buddy_worker.reads.taken_in import EditsTakenIn
from worker.reads.scene import Clock

SECONDS = 4.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def config(tmp_path: Path) -> WatchedConfig:
    return WatchedConfig(tmp_path / "openclaw.json")


def edit(config: WatchedConfig, **content: Any) -> None:
    config.config = content


def test_an_edit_is_awaited_for_its_time(config: WatchedConfig, clock: Clock) -> None:
    edits = EditsTakenIn(config, seconds=lambda: SECONDS)
    assert not edits.are_awaited

    edit(config, port=1)
    assert edits.are_awaited
    clock.now += SECONDS - 1
    assert edits.are_awaited
    clock.now += 1
    assert not edits.are_awaited


def test_a_file_that_says_the_same_is_no_edit(config: WatchedConfig, clock: Clock) -> None:
    del clock
    edits = EditsTakenIn(config, seconds=lambda: SECONDS)
    edit(config)

    assert not edits.are_awaited


def test_without_a_gateway_nothing_is_awaited(config: WatchedConfig, clock: Clock) -> None:
    del clock
    edits = EditsTakenIn(config, seconds=lambda: 0.0)
    edit(config, port=1)

    assert not edits.are_awaited


def test_what_the_gateway_has_told_already_is_not_awaited_when_it_is_noticed(
    config: WatchedConfig, clock: Clock
) -> None:
    del clock
    edits = EditsTakenIn(config, seconds=lambda: SECONDS)
    edit(config, port=1)
    edits.tell()
    assert not edits.are_awaited

    edit(config, port=2)
    assert edits.are_awaited


async def test_who_waits_goes_on_when_the_gateway_tells(config: WatchedConfig) -> None:
    edits = EditsTakenIn(config, seconds=lambda: 60.0)
    edit(config, port=1)

    async with asyncio.timeout(5):
        waiting = [asyncio.create_task(edits.wait()) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        edits.tell()
        await asyncio.gather(*waiting)
        await edits.wait()


async def test_who_waits_for_a_gateway_that_does_not_tell_goes_on_after_its_time(
    config: WatchedConfig,
) -> None:
    edits = EditsTakenIn(config, seconds=lambda: 0.05)
    edit(config, port=1)

    async with asyncio.timeout(5):
        await edits.wait()

    assert not edits.are_awaited
