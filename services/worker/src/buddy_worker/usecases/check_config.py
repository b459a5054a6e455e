"""Have OpenClaw judge a config before it takes the place of the one that is there."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.openclaw_cli import OpenClawCli, find_json
from buddy_common.errors import ConfigRejectedError, OpenClawCliError, StateUnwritableError
from buddy_common.schemas.backups import ROOT
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.validate_config import SAYS_NO


async def check_config(
    cli: OpenClawCli,
    job: RunningJob[AnyJob],
    *,
    contents: Mapping[str, bytes],
    folder: Path,
    config_dir: Path,
) -> None:
    """Run `openclaw config validate` on a copy in `folder`, which nobody else uses.

    Files outside of the config's folder are judged as they are now.

    Raises:
        ConfigRejectedError: OpenClaw does not take it; the message holds its own reason.
        OpenClawCliError: it could not say.
        StateUnwritableError: the copy cannot be written.
    """
    roots = os.pathsep.join(filter(None, (str(config_dir), os.environ.get("OPENCLAW_INCLUDE_ROOTS"))))
    await job.command("openclaw config validate --json")
    try:
        await to_its_end(asyncio.to_thread(_lay_out, folder, contents))
        answer = find_json(
            await cli.run(
                ["config", "validate"],
                flags=["--json"],
                environment={
                    "OPENCLAW_CONFIG_PATH": str(folder / ROOT),
                    "OPENCLAW_INCLUDE_ROOTS": roots,
                },
                lock_descriptors=job.lock_descriptors,
                on_started=job.runs,
            )
        )
    except OpenClawCliError as exc:
        if exc.exit_code != SAYS_NO:
            raise
        reason = exc.message.replace(str(folder / ROOT), ROOT)
        raise ConfigRejectedError(f"Nothing was changed, for OpenClaw refuses this config: {reason}") from exc
    finally:
        await to_its_end(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
    for warning in answer.get("warnings") or [] if isinstance(answer, dict) else []:
        if isinstance(warning, dict):
            await job.line(f"OpenClaw warns: {warning.get('path')}: {warning.get('message')}")


def _lay_out(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files anew; what a killed process left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700, parents=True)
        for name, content in contents.items():
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts:
                continue
            path = folder / place
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(content)
    except OSError as exc:
        raise StateUnwritableError(f"{folder} cannot be written: {exc.strerror}.") from exc
