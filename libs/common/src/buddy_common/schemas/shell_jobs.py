"""The commands that the restricted shell runs, as jobs."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from buddy_common.schemas.job import Job, Lane


class ShellCommand(StrEnum):
    """What may be run, as it is typed. Nothing of it changes anything."""

    VERSION = "version"
    STATUS = "status"
    HEALTH = "health"
    DOCTOR = "doctor"
    GATEWAY_STATUS = "gateway status"
    CHANNELS_STATUS = "channels status"
    CHANNELS_LIST = "channels list"
    CONFIG_VALIDATE = "config validate"
    MODELS_STATUS = "models status"
    MODELS_LIST = "models list"
    PLUGINS_LIST = "plugins list"
    PLUGINS_DOCTOR = "plugins doctor"
    SKILLS_LIST = "skills list"
    SESSIONS = "sessions"
    CRON_LIST = "cron list"


@dataclass(frozen=True)
class ShellArguments:
    """What OpenClaw is run with for it; all of it is ours, nothing comes from outside."""

    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    new_only: bool = False  # the older generation would change things, or knows no such thing


# some wait for a minute where there is no gateway, unless told otherwise
_QUICK = {"--timeout": "10000"}
_SPECIAL = {
    ShellCommand.VERSION: ShellArguments((), flags=("--version",)),
    ShellCommand.HEALTH: ShellArguments(("health",), options=_QUICK),
    ShellCommand.DOCTOR: ShellArguments(("doctor",), flags=("--lint",), new_only=True),
    ShellCommand.CHANNELS_STATUS: ShellArguments(("channels", "status"), options=_QUICK),
    ShellCommand.SESSIONS: ShellArguments(("sessions",), flags=("--all-agents",)),
}


def arguments_of(command: ShellCommand) -> ShellArguments:
    """Return what OpenClaw is run with."""
    return _SPECIAL.get(command) or ShellArguments(tuple(command.split()))


class RunCommandJob(Job):
    """Run one of OpenClaw's commands that tell something; its words are the job's output."""

    task: ClassVar[str] = "buddy.shell.run"
    title: ClassVar[str] = "Run command"
    module: ClassVar[str] = "shell"
    action: ClassVar[str] = "run"
    lane: ClassVar[Lane] = Lane.SLOW
    deadline_seconds: ClassVar[float] = 300  # 3 to 17 s on an idle machine, many times that on a busy one
    repeatable: ClassVar[bool] = True

    command: ShellCommand

    @property
    def target(self) -> str | None:
        """The command."""
        return self.command
