"""Have OpenClaw judge a config before it takes the place of the one that is there."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.config_files import to_json
from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.openclaw_cli import find_json
from buddy_common.errors import ConfigRejectedError, OpenClawCliError, StateUnwritableError
from buddy_common.ports import Runs
from buddy_common.schemas.backups import ROOT

_SAYS_NO = 1  # the exit code with which it refuses a config; any other is its own trouble


async def validate_config(host: HostPlane, job: Runs, config: dict[str, Any]) -> None:
    """Check a whole config, its includes resolved, by `openclaw config validate`; costs 3 to 6 s of CPU.

    Raises:
        ConfigRejectedError: OpenClaw does not take it; the message is its own.
        OpenClawCliError: it could not say; nothing was written.
        OpenClawNotFoundError: there is no usable program.
        ProgramStartError: it could not be executed.
        StateUnwritableError: the disk is full.
    """
    candidate = host.candidate_file
    await _validate(
        host,
        job,
        candidate,
        put=partial(replace_file, candidate, to_json(config)),
        remove=partial(candidate.unlink, missing_ok=True),
    )


async def validate_files(host: HostPlane, job: Runs, contents: Mapping[str, bytes]) -> None:
    """Check `openclaw.json` and the files that it includes in the same way, laid out as in their own folder.

    Files outside of the config's folder are judged as they are now.

    Raises:
        ConfigRejectedError: OpenClaw does not take them; the message is its own.
        OpenClawCliError: it could not say; nothing was written.
        OpenClawNotFoundError: there is no usable program.
        ProgramStartError: it could not be executed.
        StateUnwritableError: the disk is full.
    """
    folder = host.check_folder
    allowed = [str(host.gateway_settings.config_dir), os.environ.get("OPENCLAW_INCLUDE_ROOTS")]
    await _validate(
        host,
        job,
        folder / ROOT,
        put=partial(_lay_out, folder, contents),
        remove=partial(shutil.rmtree, folder, ignore_errors=True),
        environment={"OPENCLAW_INCLUDE_ROOTS": os.pathsep.join(filter(None, allowed))},
    )


async def _validate(
    host: HostPlane,
    job: Runs,
    candidate: Path,
    *,
    put: Callable[[], None],
    remove: Callable[[], None],
    environment: Mapping[str, str] | None = None,
) -> None:
    await job.command("openclaw config validate")
    try:
        await to_its_end(asyncio.to_thread(_put, candidate, put))
        answer = find_json(
            await host.cli.run(
                ["config", "validate"],
                flags=["--json"],
                environment={"OPENCLAW_CONFIG_PATH": str(candidate), **(environment or {})},
                lock_descriptors=job.lock_descriptors,
                on_started=job.runs,
            )
        )
    except OpenClawCliError as exc:
        if exc.exit_code != _SAYS_NO:
            raise
        reason = exc.message.replace(str(candidate), ROOT)
        raise ConfigRejectedError(f"Nothing was written, for OpenClaw refuses it: {reason}") from exc
    finally:
        await to_its_end(asyncio.to_thread(remove))
    for warning in answer.get("warnings") or [] if isinstance(answer, dict) else []:
        if isinstance(warning, dict):
            await job.line(f"OpenClaw warns: {warning.get('path')}: {warning.get('message')}")


def _put(candidate: Path, put: Callable[[], None]) -> None:
    try:
        put()
    except OSError as exc:
        raise StateUnwritableError(f"{candidate} cannot be written: {exc.strerror}.") from exc


def _lay_out(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files anew; what a killed process left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for name, content in contents.items():
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts:
            continue
        path = folder / place
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
