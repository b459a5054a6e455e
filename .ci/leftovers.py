"""Fail if a process of this run is still there, and end it: run after the tests, by `.ci/run`."""

import os
import signal
import sys
from pathlib import Path


def main(folder: str) -> int:
    """Look at every process that this user may look at; Linux only, like `.ci/run`."""
    left = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), os.getppid()):
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:  # it ended just now, or belongs to another user
            continue
        if folder.encode() in command + environment:
            left.append((int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")))
    for pid, text in left:
        print(f"left behind: {pid} {text[:150]}")  # noqa: T201 - the output of a script
        os.kill(pid, signal.SIGKILL)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
