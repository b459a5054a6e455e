"""Run one of OpenClaw's commands that change its plugins; its words go to the job's output."""

from collections.abc import Mapping, Sequence

from buddy_common.adapters.child_process import ChildResult, Stream
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.known_things import is_new_openclaw

# without them the newer generation asks at a terminal; the older one knows no such options
UNASKED = ("--force", "--accept-capabilities")


async def plugin_command(
    job: RunningJob[AnyJob],
    verb: str,
    value: str,
    *,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> ChildResult:
    """Run `openclaw plugins VERB VALUE --FLAGS` to its end.

    Raises:
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
    """

    async def on_line(line: str, _stream: Stream) -> None:
        await job.line(line)

    await job.command(f"openclaw plugins {verb} {value}")
    return await job.host.cli.run(
        ["plugins", verb],
        values=[value],
        flags=flags,
        environment=environment,
        lock_descriptors=job.lock_descriptors,
        on_started=job.runs,
        on_line=on_line,
    )


async def install_package(
    job: RunningJob[AnyJob], spec: str, *, force: bool, environment: Mapping[str, str] | None = None
) -> ChildResult:
    """Install a package; `force` takes one that is there already, or whose source is not known.

    Raises:
        OpenClawNotFoundError: there is no usable program.
        OpenClawCliError: OpenClaw refused or failed; the message is its own.
    """
    asks = force and await is_new_openclaw(job.host)
    return await plugin_command(job, "install", spec, flags=UNASKED if asks else (), environment=environment)
