"""What the kernel says of a Linux process: its control group, its container, its pid namespace.

A fact that cannot be read is None: another user's process, another system, or a process that is gone.
"""

import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_USER_MANAGER = re.compile(r"user@(\d+)\.service")
# Docker, Podman, containerd and CRI-O name a container's group by its 64 hexadecimal digits;
# LXC and systemd-nspawn by a name
_CONTAINER = re.compile(r"[0-9a-f]{64}|lxc(?:\.payload)?[./][^/]+|machine-[^/]+\.scope|systemd-nspawn@[^/]+")


@dataclass(frozen=True)
class UnitName:
    """A systemd unit as control groups show it; `uid` is whose user manager has it, None: the system's."""

    name: str
    uid: int | None


def unit_name_of(pid: int) -> UnitName | None:
    """Return the innermost service that the process runs in, unless it is the one that we run in.

    A user manager is no service in this sense: what it holds directly was started by hand.
    """
    path, own = _group(pid), _services(_group("self"))
    if path is None:
        return None
    return next((unit for unit in reversed(_services(path)) if unit not in own[-1:]), None)


def is_in_another_container(pid: int) -> bool:
    """Whether the process runs in a container that is not ours, as far as can be read."""
    theirs, ours = _pid_namespace(pid), _pid_namespace("self")
    if theirs is not None and ours is not None and theirs != ours:
        return True
    # containers that share a pid namespace, as `docker-compose.yml` has it, differ by their groups
    container = _container(_group(pid))
    return container is not None and container != _container(_group("self"))


def _group(pid: int | str) -> str | None:
    """Return the path of the process's group in systemd's hierarchy."""
    try:
        lines = (PROC / str(pid) / "cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = dict(line.split(":", 2)[1:] for line in lines if line.count(":") > 1)
    # version 1 has a named hierarchy for systemd; it is there, but empty, where version 2 is in use
    named = found.get("name=systemd", "/")
    return found.get("", named) if named == "/" else named


def _services(path: str | None) -> list[UnitName]:
    uid: int | None = None
    units: list[UnitName] = []
    for part in (path or "").split("/"):
        if manager := _USER_MANAGER.fullmatch(part):
            uid = int(manager[1])
        elif part.endswith(".service"):
            units.append(UnitName(part, uid))
    return units


def _container(path: str | None) -> str | None:
    found = _CONTAINER.findall(path or "")
    return found[-1] if found else None


def _pid_namespace(pid: int | str) -> str | None:
    try:
        return str((PROC / str(pid) / "ns" / "pid").readlink())
    except OSError:
        return None
