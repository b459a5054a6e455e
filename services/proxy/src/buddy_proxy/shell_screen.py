"""The restricted shell, as the screen of a terminal: a prompt, and one job after the other."""

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.job_queue import JobQueue
from buddy_common.errors import BuddyError, UnknownCommandError
from buddy_common.ports import Caller
from buddy_common.schemas.job import Job
from buddy_proxy.job_output import JobOutput
from buddy_proxy.line_editor import CTRL_C, CTRL_D, LineEditor
from buddy_proxy.maintenance import ALLOWED, EXIT, HELP, job_for, normal
from buddy_proxy.pty_process import Size

log = structlog.get_logger(__name__)

PROMPT = "buddy> "
WAITING_LINES = 20
# shown and not taken yet: then a job's output waits in the database
WAITING_TEXTS = 50


class Audit(Protocol):
    """Writes down what was refused."""

    async def refused(self, caller: Caller, line: str) -> None:
        """Write down what somebody wanted to run."""
        ...


class ShellScreen:
    """Runs one line at a time; the others wait, and Ctrl-C drops them all."""

    def __init__(self, jobs: JobQueue, output: JobOutput, audit: Audit, caller: Caller, *, node: str) -> None:
        self._jobs = jobs
        self._output = output
        self._audit = audit
        self._caller = caller
        self._node = node
        self._editor = LineEditor()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(WAITING_LINES)
        self._texts: asyncio.Queue[str | None] = asyncio.Queue(WAITING_TEXTS)
        self._ended = False
        self._open: list[str] = []  # jobs that may still run

    async def read(self) -> bytes:
        """Return what is to be shown, empty at the end."""
        if self._ended and self._texts.empty():
            return b""
        text = await self._texts.get()
        return b"" if text is None else text.encode()

    async def write(self, data: bytes) -> None:
        """Take what was typed."""
        typed = self._editor.feed(data)
        if typed.echo:
            await self._texts.put(typed.echo)
        for line in typed.lines:
            await self._put(line)
        if CTRL_C in typed.keys:
            await self._interrupt()
        if CTRL_D in typed.keys:
            await self._put(None)

    def resize(self, size: Size) -> None:
        """Lines are the client's to wrap."""

    async def run(self) -> None:
        """Run what is typed until that is `exit`; cancelled, end the job that runs."""
        try:
            await self._show(f"OpenClaw Buddy. `{HELP}` lists what can be run here.", end=f"\r\n{PROMPT}")
            while (line := await self._lines.get()) is not None and normal(line) != EXIT:
                await self._run(normal(line))
                await self._show("", end=PROMPT)
        except Exception:  # the outermost loop of a shell: a bug must not leave it without an end
            log.exception("shell_crashed")
        finally:
            self._ended = True
            with suppress(asyncio.QueueFull):  # then it ends after what is there
                self._texts.put_nowait(None)
            await to_its_end(self._end_jobs())

    async def _run(self, line: str) -> None:
        if line == HELP:
            for command in ALLOWED:
                await self._show(f"  {command}")
        elif line:
            try:
                await self._run_job(line)
            except BuddyError as exc:
                await self._show(exc.message)

    async def _run_job(self, line: str) -> None:
        try:
            job = job_for(line)
        except UnknownCommandError:
            await self._audit.refused(self._caller, line)
            raise
        task_id = await to_its_end(self._submit(job))
        await self._show(f"{job.title}: {task_id}")
        async for text in self._output.follow(task_id):
            await self._show(text)
        self._open.remove(task_id)

    async def _submit(self, job: Job) -> str:
        task_id = await self._jobs.submit(job, node=self._node, operator=self._caller)
        self._open.append(task_id)
        return task_id

    async def _put(self, line: str | None) -> None:
        try:
            self._lines.put_nowait(line)
        except asyncio.QueueFull:
            await self._show(f"{WAITING_LINES} commands wait already; this one was left out.")

    async def _interrupt(self) -> None:
        with suppress(asyncio.QueueEmpty):
            while True:
                self._lines.get_nowait()
        if not self._open:
            await self._show("", end=PROMPT)
        await self._end_jobs()

    async def _end_jobs(self) -> None:
        for task_id in self._open:
            try:
                await self._output.cancel(task_id, self._caller)
            except BuddyError as exc:
                log.warning("shell_job_not_cancelled", task_id=task_id, reason=exc.message)
                with suppress(asyncio.QueueFull):
                    self._texts.put_nowait(f"{exc.message}\r\n")

    async def _show(self, text: str, *, end: str = "\r\n") -> None:
        await self._texts.put(text.replace("\n", "\r\n") + end)
