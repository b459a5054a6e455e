"""What a host plane remembers."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.processes import to_record
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "nodes" / "local"


async def test_nothing_is_remembered_at_first_and_nothing_made(folder: Path) -> None:
    state = FileHostState(folder)

    assert await state.desired() is None
    assert await state.spawned() is None
    assert not await asyncio.to_thread(folder.exists)


@pytest.mark.parametrize("desired", Desired)
async def test_desired_state_survives_us(folder: Path, desired: Desired) -> None:
    await FileHostState(folder).set_desired(desired)

    assert await FileHostState(folder).desired() is desired


async def test_later_wish_replaces_the_earlier(folder: Path) -> None:
    state = FileHostState(folder)
    await state.set_desired(Desired.RUNNING)
    await state.set_desired(Desired.STOPPED)

    assert await state.desired() is Desired.STOPPED


def record(folder: Path, process: ProcessIdentity, **more: Any) -> None:
    """Write what the keeper of a gateway writes."""
    folder.mkdir(parents=True, exist_ok=True)
    FileHostState(folder).gateway_file.write_text(json.dumps(to_record(process) | more))


GATEWAY = ProcessIdentity(4711, 56000.07, "openclaw")


async def test_spawned_process_is_what_its_keeper_recorded(folder: Path) -> None:
    await asyncio.to_thread(record, folder, GATEWAY)

    found = await FileHostState(folder).spawned()
    assert found == GATEWAY
    assert found is not None
    assert found.is_gateway
    assert await FileHostState(folder).last_exit() is None


async def test_process_from_before_a_reboot_is_nobody(folder: Path) -> None:
    await asyncio.to_thread(record, folder, GATEWAY, boot="earlier")

    assert await FileHostState(folder).spawned() is None


@pytest.mark.parametrize("how", [ProcessExit(code=78), ProcessExit(signal="SIGKILL")])
async def test_end_of_the_process_is_what_its_keeper_recorded(folder: Path, how: ProcessExit) -> None:
    await asyncio.to_thread(record, folder, GATEWAY, code=how.code, signal=how.signal, ended_at=1.0)
    state = FileHostState(folder)

    assert await state.last_exit() == how
    assert await asyncio.to_thread(state.exit_of, GATEWAY) == how
    assert await asyncio.to_thread(state.exit_of, replace(GATEWAY, pid=1)) is None


async def test_wish_and_process_do_not_disturb_each_other(folder: Path) -> None:
    state = FileHostState(folder)
    await state.set_desired(Desired.RUNNING)
    await asyncio.to_thread(record, folder, GATEWAY)

    assert await state.desired() is Desired.RUNNING
    assert await state.spawned() == GATEWAY


async def test_nodes_in_other_folders_have_a_memory_of_their_own(folder: Path) -> None:
    await FileHostState(folder).set_desired(Desired.RUNNING)

    assert await FileHostState(folder.parent / "other").desired() is None
