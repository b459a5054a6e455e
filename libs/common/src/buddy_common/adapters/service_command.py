"""Running `systemctl` and `launchctl`: an argument list, a deadline, an answer in every case."""

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from buddy_common.adapters.processes import child_environment

ANSWER_SECONDS = 20.0  # an answer of systemd took 0.02 s, one of another account's manager 0.1 to 0.3 s


@dataclass(frozen=True)
class Answer:
    """What the command said; `reason` tells why it did not do as asked, and is None when it did."""

    output: str = ""
    reason: str | None = None
    timed_out: bool = False


def ask(*command: str, environment: Mapping[str, str] | None = None, seconds: float | None = None) -> Answer:
    """Run the command and return its answer; a missing program and a passed deadline are answers, too."""
    limit = ANSWER_SECONDS if seconds is None else seconds
    try:
        done = subprocess.run(  # noqa: S603 - an argument list; names are checked, or follow a `--`
            command,
            env=child_environment() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            process_group=0,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(reason=f"{command[0]} gave no answer in {limit:g} s", timed_out=True)
    except OSError as exc:
        return Answer(reason=f"{command[0]} cannot be run: {exc.strerror}")
    if done.returncode == 0:
        return Answer(done.stdout)
    said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
    return Answer(done.stdout, reason=said.splitlines()[0])


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    known = {item.value: item.name for item in signal.Signals}
    return known.get(number, f"signal {number}")
