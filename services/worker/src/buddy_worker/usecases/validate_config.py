"""Have OpenClaw judge a config before it is written."""

import asyncio
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.config_files import to_json
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.errors import ConfigRejectedError, OpenClawCliError, StateUnwritableError
from buddy_worker.jobs import AnyJob, RunningJob

SAYS_NO = 1  # the exit code with which it refuses a config; any other is its own trouble


async def validate_config(host: HostPlane, job: RunningJob[AnyJob], config: dict[str, Any]) -> None:
    """Check a whole config, its includes resolved, by `openclaw config validate`; costs 3 to 6 s of CPU.

    Raises:
        ConfigRejectedError: OpenClaw does not take it; the message is its own.
        OpenClawCliError: it could not say; nothing was written.
        OpenClawNotFoundError: there is no usable program.
        ProgramStartError: it could not be executed.
        StateUnwritableError: the disk is full.
    """
    candidate = host.candidate_file
    await job.command("openclaw config validate")
    try:
        await asyncio.to_thread(replace_file, candidate, to_json(config))
        await host.cli.run(
            ["config", "validate"],
            flags=["--json"],
            environment={"OPENCLAW_CONFIG_PATH": str(candidate)},
            lock_descriptors=job.lock_descriptors,
            on_started=job.runs,
        )
    except OpenClawCliError as exc:
        if exc.exit_code != SAYS_NO:
            raise
        reason = exc.message.replace(str(candidate), "openclaw.json")
        raise ConfigRejectedError(f"Nothing was written, for OpenClaw refuses it: {reason}") from exc
    except OSError as exc:
        raise StateUnwritableError(f"{candidate} cannot be written: {exc.strerror}.") from exc
    finally:
        await to_its_end(asyncio.to_thread(candidate.unlink, missing_ok=True))
