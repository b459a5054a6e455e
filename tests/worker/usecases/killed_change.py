"""Makes a change in a process that kills itself before its n-th step; run as a program, told on stdin.

Each line is a place and a number; for each, a fork of this process makes the change there, and its exit
code, or the negative signal, is printed. A step is whatever leaves a trace: files that are moved,
removed or synced, and every word to whoever watches the job.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from buddy_worker.usecases.change_config import change_config
from worker.usecases.scene import RecordingJob, build_host

TASK = "task-1"
_CALLS = ("replace", "rename", "link", "unlink", "fsync")
_WORDS = ("stage", "line", "command", "runs")


def edit(config: dict[str, Any]) -> None:
    """Change a key of the root and one of each part."""
    config["x"] = "new"
    if isinstance(config.get("part"), dict):
        config["part"]["y"] = "new"


class Steps:
    """Counts steps, and ends the process before the last that it may not make."""

    def __init__(self, deadly: int) -> None:
        self._left = deadly

    def count(self) -> None:
        """Make one step."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call as a step."""

        def step(*args: Any, **kwargs: Any) -> Any:
            self.count()
            return call(*args, **kwargs)

        return step


async def change() -> None:
    """Make the change on the host of the environment."""
    host = build_host()
    await change_config(RecordingJob(host, TASK).as_job(), edit, base_hash=None)
    await host.close()


def make_and_die(environment: dict[str, str], deadly: int) -> None:
    """Be the process that is killed."""
    os.environ |= environment
    steps = Steps(deadly)
    for name in _CALLS:
        setattr(os, name, steps.counted(getattr(os, name)))
    for name in _WORDS:
        setattr(RecordingJob, name, steps.counted(getattr(RecordingJob, name)))
    asyncio.run(change())


def main() -> None:
    """Answer each line."""
    for line in sys.stdin:
        environment, deadly = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                make_and_die(environment, deadly)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
