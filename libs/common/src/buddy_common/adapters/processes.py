"""Processes of this host: who listens where, who still lives, how to end one."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import psutil

from buddy_common.schemas.processes import ProcessIdentity, ProcessUsage

# the variables that a program of ours gets to see; everything else, our secrets first, stays here
ALLOWED_ENVIRONMENT = frozenset(
    {
        "HOME", "USER", "LOGNAME", "SHELL", "PATH", "TERM", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_TIME", "NO_COLOR",
        "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    }
)  # fmt: skip


_OPENCLAW = frozenset({"openclaw", "openclaw.mjs", "openclaw.js"})
# options of Node.js whose value is a path in a word of its own, but not the script
_NODE_PATH_OPTIONS = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})


def child_environment(*, also: frozenset[str] = frozenset(), **extra: str) -> dict[str, str]:
    """Return the allowed part of our environment plus `extra`."""
    names = ALLOWED_ENVIRONMENT | also
    return {name: value for name, value in os.environ.items() if name in names} | extra


def find_listener(port: int) -> ProcessIdentity | None:
    """Return the process that listens on the TCP port, the gateway first if there are several.

    A client that is connected to the port, or to the same port elsewhere, does not count.
    """
    found: list[ProcessIdentity] = []
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not _is_at(connection.laddr, port):
            continue
        if connection.pid is None:
            found.append(ProcessIdentity(0, 0.0, "a process of another user"))
        elif (identity := identify(connection.pid)) is not None:
            found.append(identity)
    return max(found, key=lambda process: (process.is_gateway, process.pid), default=None)


def _is_at(address: object, port: int) -> bool:
    return getattr(address, "port", None) == port


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a living process, None when there is none (a zombie is none).

    One whose first thread has ended while others are on their way out lives: it still has its port.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            is_zombie = process.status() == psutil.STATUS_ZOMBIE
            if is_zombie and process.num_threads() == 1:
                return None
            command = [] if is_zombie else process.cmdline()  # psutil raises for a zombie's
            name = process.name()
            started = _after_boot(process)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return ProcessIdentity(pid, 0.0, "a process of another user")
    return ProcessIdentity(pid, started, name, is_gateway=_is_gateway(command))


def _after_boot(process: psutil.Process) -> float:
    """Return when the process began, in seconds after boot: that stays when the clock is set."""
    return round(process.create_time() - psutil.boot_time(), 2)


def _seconds_after_boot() -> float:
    """Return the present in the same terms; the time of the boot itself is known to the second only."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - psutil.boot_time()


def age_seconds(process: psutil.Process) -> float:
    """Return how long the process has been there, whatever was done to the clock; psutil's errors pass."""
    return max(0.0, _seconds_after_boot() - _after_boot(process))


def to_record(process: ProcessIdentity) -> dict[str, Any]:
    """Return the process in a form that JSON keeps; it is worthless after a reboot, and says so."""
    return {"pid": process.pid, "started": process.started, "boot": boot_id(), "name": process.name}


def from_record(record: dict[str, Any]) -> ProcessIdentity | None:
    """Return the recorded process; None when the machine was started anew, or the record names none."""
    pid, started = record.get("pid"), record.get("started")
    if not isinstance(pid, int) or not isinstance(started, int | float) or record.get("boot") != boot_id():
        return None
    return ProcessIdentity(pid, float(started), str(record.get("name", "process")))


def boot_id() -> str:
    """Return what differs after each start of the machine; empty where the system has no such thing."""
    return _BOOT_ID


def _read_boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


_BOOT_ID = _read_boot_id()  # now, so that nobody has to wait for it inside a loop


def is_alive(process: ProcessIdentity) -> bool:
    """Whether it is still the same process, and no zombie."""
    return identify(process.pid) == process


def send_signal(process: ProcessIdentity, number: signal.Signals) -> bool:
    """Signal the process; False when it is gone, even if its pid was used again."""
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):  # gone, or another account's
        return False
    return True


def measure(process: psutil.Process, *, first: bool) -> ProcessUsage | None:
    """Return what the process uses.

    CPU counts since the last call with the same object; at the `first` one, since the process began.
    """
    try:
        with process.oneshot():
            age = age_seconds(process)
            percent = process.cpu_percent(interval=None)
            if first:  # psutil's first answer means nothing
                times = process.cpu_times()
                percent = round((times.user + times.system) / max(1.0, age) * 100, 1)
            return ProcessUsage(
                cpu_percent=percent,
                rss_bytes=process.memory_info().rss,
                age_seconds=age,
                stopped=process.status() == psutil.STATUS_STOPPED,
            )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    return bind_problem(host, port) is None


def bind_problem(host: str, port: int) -> str | None:
    """Return why no server could listen there now, None when one could."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does
        try:
            probe.bind((host, port))
        except OSError as exc:
            return exc.strerror or str(exc)
        return None


def _is_gateway(command: list[str]) -> bool:
    """OpenClaw renames itself `openclaw-gateway` once it is up; before, or as the service that
    `openclaw gateway install` makes, it is `node [OPTION …] …/openclaw/… gateway …`.
    """
    if not command:
        return False
    if command[0].startswith("openclaw"):
        return True
    if Path(command[0]).name in _OPENCLAW:
        return "gateway" in command[1:]
    for place, word in enumerate(command):
        if place and _is_script(word, before=command[place - 1]):
            return bool(_OPENCLAW.intersection(Path(word).parts)) and "gateway" in command[place + 1 :]
    return False


def _is_script(word: str, *, before: str) -> bool:
    """Whether an interpreter would run that word of its command line: a file, not an option's value."""
    if word.startswith("-") or before in _NODE_PATH_OPTIONS:
        return False
    return "/" in word or word.endswith((".js", ".mjs"))
