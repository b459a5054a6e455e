"""The machine: CPU, memory, disk, load."""

import asyncio
import os
import platform
import socket
from pathlib import Path

import psutil

from buddy_common.schemas.system import Cpu, Disk, Memory, SystemInfo

_MB = 1024 * 1024
# the guide's example says amd64, as Go and Docker name it
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class LocalSystem:
    """This machine; the disk is the one that holds `state_dir`."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def read(self) -> SystemInfo:
        """Return its figures now; CPU counts since the last call in this process."""
        return await asyncio.to_thread(_read, self._state_dir)

    async def disk_percent(self) -> float:
        """Return how full the file system of OpenClaw's state is."""
        return (await asyncio.to_thread(_mount_point, self._state_dir))[1]


def _read(state_dir: Path) -> SystemInfo:
    memory = psutil.virtual_memory()
    swap = psutil.swap_memory()
    path, percent = _mount_point(state_dir)
    machine = platform.machine()
    return SystemInfo(
        cpu=Cpu(usage=psutil.cpu_percent(interval=None), cores=os.cpu_count() or 1),
        memory=Memory(
            total=memory.total // _MB,
            used=(memory.total - memory.available) // _MB,
            percent=memory.percent,
        ),
        disk=Disk(path=path, percent=percent),
        os=platform.system().lower(),
        arch=_ARCHITECTURES.get(machine, machine.lower()),
        hostname=socket.gethostname(),
        load=[round(value, 2) for value in os.getloadavg()],
        swap=Memory(total=swap.total // _MB, used=swap.used // _MB, percent=swap.percent),
    )


def _mount_point(path: Path) -> tuple[str, float]:
    """Return where the file system that holds `path` is mounted, and how full it is in percent."""
    while not path.is_mount():
        path = path.parent
    return str(path), psutil.disk_usage(str(path)).percent
