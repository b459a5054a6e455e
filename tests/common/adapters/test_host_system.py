"""The machine."""

import asyncio
import os
import socket
from pathlib import Path

import psutil

from buddy_common.adapters.host_system import LocalSystem


async def test_figures_are_those_of_this_machine(tmp_path: Path) -> None:
    info = await LocalSystem(tmp_path).read()

    assert info.cpu.cores == os.cpu_count()
    assert 0 <= info.cpu.usage <= 100
    assert info.memory.total == psutil.virtual_memory().total // 1024**2
    assert 0 < info.memory.used < info.memory.total
    assert 0 < info.memory.percent <= 100
    assert info.hostname == socket.gethostname()
    assert len(info.load) == 3
    assert info.gateway is None


async def test_platform_is_named_as_go_and_docker_do(tmp_path: Path) -> None:
    info = await LocalSystem(tmp_path).read()

    assert info.os in {"linux", "darwin"}
    assert info.arch not in {"x86_64", "aarch64"}


async def test_disk_is_the_one_that_holds_the_state(tmp_path: Path) -> None:
    info = await LocalSystem(tmp_path).read()

    assert await asyncio.to_thread(Path(info.disk.path).is_mount)
    assert tmp_path.is_relative_to(info.disk.path)
    assert 0 < info.disk.percent <= 100


async def test_state_folder_need_not_exist_yet(tmp_path: Path) -> None:
    ours = await LocalSystem(tmp_path).read()
    missing = await LocalSystem(tmp_path / "not" / "yet").read()

    assert missing.disk.path == ours.disk.path
