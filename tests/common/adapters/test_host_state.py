"""What a host plane remembers."""

import asyncio
from pathlib import Path

import pytest

from buddy_common.adapters.host_state import FileHostState
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessIdentity


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


async def test_spawned_process_is_recognised_by_a_later_process_of_ours(folder: Path) -> None:
    process = ProcessIdentity(4711, 1774656000.0712345, "openclaw", is_gateway=True)

    await FileHostState(folder).set_spawned(process)

    found = await FileHostState(folder).spawned()
    assert found == process  # to the last digit of its start time
    assert found is not None
    assert found.is_gateway


async def test_wish_and_process_do_not_disturb_each_other(folder: Path) -> None:
    state = FileHostState(folder)
    await state.set_desired(Desired.RUNNING)
    await state.set_spawned(ProcessIdentity(1, 2.5, "openclaw"))

    assert await state.desired() is Desired.RUNNING
    assert await state.spawned() == ProcessIdentity(1, 2.5, "openclaw")


async def test_nodes_in_other_folders_have_a_memory_of_their_own(folder: Path) -> None:
    await FileHostState(folder).set_desired(Desired.RUNNING)

    assert await FileHostState(folder.parent / "other").desired() is None
