"""Run a command of the restricted shell; its words go to the job's output as they come."""

from pydantic import BaseModel

from buddy_common.adapters.child_process import Stream
from buddy_common.errors import InvalidRequestError
from buddy_common.schemas.shell_jobs import ShellCommand, arguments_of
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.known_things import is_new_openclaw


class CommandRun(BaseModel):
    """A command that exited with 0."""

    command: str
    exit: int = 0


async def run_command(job: RunningJob[AnyJob], command: ShellCommand) -> CommandRun:
    """Run it to its end.

    Raises:
        InvalidRequestError: this OpenClaw has no such command that would change nothing.
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: it did not exit with 0; the message is its own.
    """
    arguments = arguments_of(command)
    if arguments.new_only and not await is_new_openclaw(job.host):
        raise InvalidRequestError(f"`{command}` of this OpenClaw would change things, so it is not run here.")

    async def on_line(line: str, _stream: Stream) -> None:
        await job.line(line)

    options = [part for pair in arguments.options.items() for part in pair]
    shown = " ".join(["openclaw", *arguments.words, *arguments.flags, *options])
    await job.command(shown)
    await job.stage("running", 10)
    await job.host.cli.run(
        arguments.words,
        flags=arguments.flags,
        options=arguments.options,
        lock_descriptors=job.lock_descriptors,
        on_started=job.runs,
        on_line=on_line,
    )
    return CommandRun(command=shown)
