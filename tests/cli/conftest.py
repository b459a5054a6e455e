"""Children of a supervisor: tiny Python programs that stand in for the services."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from buddy_cli import supervisor as module
from buddy_cli.children import Child
from buddy_cli.supervisor import Supervisor
from buddy_common.adapters.processes import child_environment


class MakeChild(Protocol):
    """Build a child that runs Python code; it is ready when it has made the file READY."""

    def __call__(
        self, name: str, code: str, *, ready: Callable[[], Awaitable[bool]] | None = None
    ) -> Child: ...


class Supervised(Protocol):
    """Start children, and end them with the block, within a bound."""

    def __call__(
        self,
        *children: Child,
        on_change: Callable[[Supervisor], None] = ...,
        seconds: float = ...,
    ) -> contextlib.AbstractAsyncContextManager[Supervisor]: ...


class Until(Protocol):
    """Wait until something is true, within a bound."""

    async def __call__(self, condition: Callable[[], bool]) -> None: ...


@pytest.fixture(autouse=True)
def what_commands_change() -> Iterator[None]:
    """A command that runs inside of a test changes the process for good: put it back."""
    umask = os.umask(0o022)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)
    os.umask(umask)


@pytest.fixture
def until() -> Until:
    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            for _ in itertools.count():
                if condition():
                    return
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def make_child(tmp_path: Path) -> MakeChild:
    def make(name: str, code: str, *, ready: Callable[[], Awaitable[bool]] | None = None) -> Child:
        file = tmp_path / f"{name}.ready"

        async def made_its_file() -> bool:
            return await asyncio.to_thread(file.exists)

        lines = f"import os, pathlib, signal, sys, time\nREADY = pathlib.Path({str(file)!r})\n{code}"
        return Child(
            name,
            [sys.executable, "-ISuc", lines],
            child_environment(FOLDER=str(tmp_path)),
            ready=ready or made_its_file,
        )

    return make


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervised:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(module, "READY_POLL_SECONDS", 0.02)

    @contextlib.asynccontextmanager
    async def supervise(
        *children: Child,
        on_change: Callable[[Supervisor], None] = lambda _: None,
        seconds: float = 5,
    ) -> AsyncIterator[Supervisor]:
        # outside of the loop, as `buddy up` does it: log files are opened
        supervisor = await asyncio.to_thread(Supervisor, list(children), logs=tmp_path, on_change=on_change)
        try:
            await supervisor.start(seconds=seconds)
            yield supervisor
        finally:
            async with asyncio.timeout(5):
                await supervisor.stop()

    return supervise
