"""Starting a gateway of our own: by a keeper that outlives us and records how it ended."""

import json
import os
import select
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buddy_common.adapters import processes
from buddy_common.adapters.gateway_log import GatewayLog
from buddy_common.adapters.keeper_start import KeeperStart, ask_for_keeper, start_keeper
from buddy_common.errors import GatewayStartError
from buddy_common.schemas.processes import ProcessIdentity

# to start Python and the program takes 0.1 s, seconds on a machine under load
REPORT_SECONDS = 60.0


def launch_gateway(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    log: GatewayLog,
    record: Path,
    lock_descriptors: Sequence[int] = (),
    init: Path | None = None,
) -> ProcessIdentity:
    """Start the program, its output going to the log, and return its process.

    The keeper writes the process into the file `record`, and later how it ended. Until it has done the
    first, it holds the locks: should we die now, nobody starts another beside it. `init` is the socket of
    the gateway's own container, where it has one: the keeper is started there, not by us.

    Raises:
        GatewayStartError: it could not be executed.
    """
    reading, writing = os.pipe()
    try:
        with log.open_for_append() as output:
            start = KeeperStart(
                record=record,
                program=arguments,
                environment=environment,
                cwd=cwd,
                output=output.fileno(),
                report=writing,
                locks=lock_descriptors,
            )
            start_keeper(start) if init is None else ask_for_keeper(init, start)
    except (OSError, GatewayStartError) as exc:
        os.close(reading)
        if isinstance(exc, GatewayStartError):
            raise
        where = "" if init is None else f" in its container ({init})"
        raise GatewayStartError(f"{arguments[0]} could not be started{where}: {exc}") from exc
    finally:
        os.close(writing)
    try:
        return _identity(_read_report(reading), program=str(arguments[0]))
    finally:
        os.close(reading)


def _read_report(descriptor: int) -> dict[str, Any]:
    """Return the keeper's one line; an empty one when it died before it could write it."""
    line = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while not line.endswith(b"\n"):
        if not poll.poll(REPORT_SECONDS * 1000):
            break
        part = os.read(descriptor, 4096)
        if not part:
            break
        line += part
    return json.loads(line) if line.endswith(b"\n") else {}


def _identity(report: dict[str, Any], *, program: str) -> ProcessIdentity:
    if "message" in report:
        raise GatewayStartError(f"The program could not be executed: {report['message']}.")
    if "pid" not in report:
        raise GatewayStartError(f"{program} could not be started: its keeper died.")
    found = processes.identify(report["pid"])
    if found is not None:
        return found
    # it has ended already; the record says how
    return ProcessIdentity(report["pid"], report["started"] or 0.0, "openclaw")
