"""Who runs a program, and a program that is a whole tree."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buddy_common.adapters import processes
from buddy_common.adapters.child_process import ChildResult, Stream, run_child
from buddy_common.errors import BuddyError
from buddy_common.schemas.processes import ProcessIdentity

ENVIRONMENT = {"PATH": os.environ["PATH"]}

# a program, a child of it, and an orphan in a session of its own; all hold the output, all say so
TREE = """
import os, signal, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("orphan", os.getpid(), flush=True)
        signal.pause()
    os._exit(0)
print("program", os.getpid(), flush=True)
signal.pause()
"""


class RefusedError(BuddyError):
    """What the caller says to a program that it does not want."""


@dataclass
class Caller:
    """Who runs the program, and what it heard."""

    folder: Path
    processes: list[ProcessIdentity] = field(default_factory=list)
    lines: list[tuple[Stream, str]] = field(default_factory=list)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def on_started(self, process: ProcessIdentity) -> None:
        self.processes.append(process)

    async def on_line(self, line: str, stream: Stream) -> None:
        self.lines.append((stream, line))
        self.heard.put_nowait(line)

    async def run(self, *arguments: str | Path, **options: Any) -> ChildResult:
        defaults = {"on_started": self.on_started, "on_line": self.on_line, "cwd": self.folder}
        return await run_child(arguments, **{"environment": ENVIRONMENT, **defaults, **options})

    async def run_tree(self, *arguments: str, **options: Any) -> ChildResult:
        path = self.folder / "tree.py"
        await asyncio.to_thread(path.write_text, TREE)
        return await self.run(sys.executable, "-IS", path, *arguments, **options)

    async def until_up(self) -> list[int]:
        """Return who is there, as soon as the whole tree is."""
        async with asyncio.timeout(5):
            return [int((await self.heard.get()).split()[1]) for _ in range(2)]


async def gone(pids: list[int]) -> bool:
    """Whether none of them lives."""
    return await asyncio.to_thread(lambda: not any(processes.identify(pid) for pid in pids))
