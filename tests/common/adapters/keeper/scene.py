"""Keepers of jobs and gateways, our ends of their pipes, and a caller that is killed."""

import fcntl
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from buddy_common.adapters import child_process

KEEPER: tuple[str, ...] = child_process.KEEPER
if "COVERAGE_PROCESS_CONFIG" in os.environ:  # it measures modules, and needs its own
    KEEPER = (sys.executable, "-I", "-m", "buddy_common.adapters.keeper")

# ends when somebody writes to the gate
WAITER = ["/bin/sh", "-c", 'echo up; read _ <"$0"']


@dataclass
class Kept:
    """A keeper and our ends of its pipes."""

    process: subprocess.Popen[bytes]
    control: int
    status: int
    output: int

    def go(self) -> None:
        os.write(self.control, b"g")

    def hang_up(self) -> None:
        os.close(self.control)
        self.control = -1

    def read_line(self) -> str:
        """Return one line of the program's output; it must not have written more."""
        return os.read(self.output, 4096).decode().rstrip("\n")

    def news(self) -> list[dict[str, Any]]:
        """Return all that it told, once it has ended."""
        told = read_to_end(self.status)
        self.process.wait()
        return [json.loads(line) for line in told.splitlines()]

    def close(self) -> None:
        for descriptor in {self.control, self.status, self.output} - {-1}:
            os.close(descriptor)
        end_tree(self.process)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # its keeper, which has lost us, was quicker
                child.kill()
        process.kill()
    process.wait()


def read_to_end(descriptor: int) -> bytes:
    """Return once the last process that holds the other end has ended."""
    told = b""
    while part := os.read(descriptor, 65536):
        told += part
    return told


def keep_job(
    keepers: list[Kept], *arguments: str | Path, stop_seconds: float = 10, locks: tuple[int, ...] = ()
) -> Kept:
    """Start a keeper that waits for our word."""
    control, ours = os.pipe()
    status, theirs = os.pipe()
    output, out = os.pipe()
    process = subprocess.Popen(
        [*KEEPER, "job", str(control), str(theirs), str(stop_seconds), "MARK", *arguments],
        stdout=out,
        pass_fds=(control, theirs, *locks),
        start_new_session=True,
    )
    for descriptor in (control, theirs, out):
        os.close(descriptor)
    keepers.append(Kept(process, ours, status, output))
    return keepers[-1]


def script(folder: Path, text: str, *, name: str = "script.py") -> list[str | Path]:
    """Return the command of a Python program that can use `os`, `signal`, `subprocess` and `sys`."""
    path = folder / name
    path.write_text(f"import os, signal, subprocess, sys\n{text}")
    return [sys.executable, "-IS", path]


def is_locked(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def bad_interpreter(folder: Path) -> Path:
    path = folder / "bad-interpreter"
    path.write_text("#!/no/such/interpreter\n")
    path.chmod(0o755)
    return path


def not_executable(folder: Path) -> Path:
    path = folder / "not-executable"
    path.write_text("#!/bin/sh\n")
    return path


FAILURES = [
    (lambda folder: folder / "missing", "FileNotFoundError", "missing: No such file or directory"),
    (bad_interpreter, "FileNotFoundError", "the interpreter that its first line names does not exist"),
    (not_executable, "PermissionError", "not-executable: Permission denied"),
    (lambda folder: folder, "PermissionError", "Permission denied"),
]


@dataclass
class Caller:
    """A process that starts a keeper, and is killed."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, text: str) -> int:
        """Return where it and all that it started write to."""
        output, out = os.pipe()
        self.process = subprocess.Popen(
            script(self.folder, f"{text}\nsignal.pause()", name="caller.py"),
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        os.close(out)
        return output

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Gateway:
    """A keeper of a gateway, and what it told about it."""

    keeper: subprocess.Popen[bytes]
    told: dict[str, Any]
    output: int
    record: Path

    def recorded(self) -> dict[str, Any]:
        return json.loads(self.record.read_bytes())  # type: ignore[no-any-return]  # a test reads on


def keep_gateway(
    gateways: list[Gateway],
    record: Path,
    *arguments: str | Path,
    locks: tuple[int, ...] = (),
    within: tuple[str, ...] = (),
) -> Gateway:
    """Start a gateway and return when its keeper has told us."""
    told, tell = os.pipe()
    output, out = os.pipe()
    keeper = subprocess.Popen(
        [*within, *KEEPER, "gateway", record, str(tell), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        pass_fds=(tell, *locks),
        start_new_session=True,
    )
    os.close(tell)
    os.close(out)
    line = read_to_end(told)
    os.close(told)
    gateways.append(Gateway(keeper, json.loads(line), output, record))
    return gateways[-1]
