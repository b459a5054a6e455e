"""Who starts the keeper of a gateway: this process, or the first process of the gateway's own container."""

import json
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.child_process import KEEPER
from buddy_common.errors import GatewayStartError

ANSWER_SECONDS = 30.0  # to fork takes milliseconds, seconds on a machine under load


@dataclass(frozen=True)
class KeeperStart:
    """A gateway and the keeper to start for it: what both see, and the descriptors that they inherit."""

    record: Path
    program: Sequence[str | Path]
    environment: Mapping[str, str]
    cwd: Path
    output: int
    report: int
    locks: Sequence[int] = ()

    def command(self, report: str | None) -> list[str | None]:
        """Return the keeper's command line; its descriptor for the report may not be known yet."""
        return [*KEEPER, "gateway", str(self.record), report, *map(str, self.program)]


def start_keeper(start: KeeperStart) -> None:
    """Start it as a child of ours; it goes on without us.

    Raises:
        OSError: it could not be executed.
    """
    command = [word for word in start.command(str(start.report)) if word is not None]
    child = subprocess.Popen(  # noqa: S603 - an argument list; the path comes from settings
        command,
        env=dict(start.environment),
        cwd=start.cwd,
        stdin=subprocess.DEVNULL,
        stdout=start.output,
        stderr=start.output,
        pass_fds=(start.report, *start.locks),
        start_new_session=True,
    )
    # reaps the keeper whenever it ends
    threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()


def ask_for_keeper(init: Path, start: KeeperStart) -> None:
    """Let the first process of the gateway's container start it, so that it lives as long as that does.

    Raises:
        OSError: nothing listens at `init`, or it does not answer.
        GatewayStartError: it could not be started there.
    """
    request = {
        "command": start.command(None),
        "environment": dict(start.environment),
        "cwd": str(start.cwd),
    }
    line = json.dumps(request).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        client.connect(str(init))
        sent = socket.send_fds(client, [line], [start.output, start.report, *start.locks])
        if sent < len(line):  # to send nothing fails, too, once the other end has answered and closed
            client.sendall(line[sent:])
        answer = client.makefile("rb").readline()
    if answer != b"{}\n":
        reason = json.loads(answer)["error"] if answer else "it was refused"
        raise GatewayStartError(f"The gateway's container did not start it: {reason}.")
