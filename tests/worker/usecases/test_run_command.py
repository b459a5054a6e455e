"""The commands of the restricted shell, run on the fake program."""

import json

import pytest

from buddy_common.schemas.shell_jobs import RunCommandJob, ShellCommand
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_worker.usecases.run_command import run_command
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import run, there

pytestmark = pytest.mark.timeout(30)  # it starts programs


async def run_it(w: Wiring, command: ShellCommand) -> TaskView:
    return await run(w, RunCommandJob(command=command), lambda job: run_command(job, job.payload.command))


async def test_the_words_of_the_command_are_the_output_of_the_job(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    there(fake_openclaw, "a")

    task = await run_it(w, ShellCommand.PLUGINS_LIST)

    assert task.status is TaskStatus.COMPLETED
    assert task.command == "openclaw plugins list"
    (listed,) = [json.loads(line) for line in task.output if line.startswith("{")]
    assert [plugin["id"] for plugin in listed["plugins"]] == ["a"]


async def test_the_version_is_told(w: Wiring) -> None:
    task = await run_it(w, ShellCommand.VERSION)

    assert (task.status, task.command) == (TaskStatus.COMPLETED, "openclaw --version")
    assert task.output == ["OpenClaw 2026.9.6 (fake)"]


async def test_a_command_that_fails_fails_the_job_with_its_own_reason(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(invalid="too strange")

    task = await run_it(w, ShellCommand.CONFIG_VALIDATE)

    assert task.status is TaskStatus.FAILED
    assert "too strange" in "".join(task.output)


async def test_the_older_generation_does_not_run_what_would_change_things(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.program.with_name("version").write_text("2026.3.28")

    task = await run_it(w, ShellCommand.DOCTOR)

    assert task.status is TaskStatus.FAILED
    assert task.errorCode == "invalid_request"
