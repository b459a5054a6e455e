"""What may be typed into the restricted shell, and the job that each line becomes."""

from buddy_common.errors import UnknownCommandError
from buddy_common.schemas.backup_jobs import MakeBackupJob
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import Job
from buddy_common.schemas.plugin_jobs import ReloadPluginsJob
from buddy_common.schemas.shell_jobs import RunCommandJob, ShellCommand

_CHANGES: dict[str, type[Job]] = {
    "gateway start": StartGatewayJob,
    "gateway stop": StopGatewayJob,
    "gateway restart": RestartGatewayJob,
    "plugins reload": ReloadPluginsJob,
    "backup": MakeBackupJob,
}
HELP, EXIT = "help", "exit"
ALLOWED = [*(str(command) for command in ShellCommand), *_CHANGES, HELP, EXIT]


def job_for(line: str) -> Job:
    """Return the job; a line is compared as a whole, no word of it goes anywhere.

    Raises:
        UnknownCommandError: it is none of those that are allowed.
    """
    if line in _CHANGES:
        return _CHANGES[line]()
    try:
        return RunCommandJob(command=ShellCommand(line))
    except ValueError:
        raise UnknownCommandError(ALLOWED) from None


def normal(line: str) -> str:
    """Return the line with single spaces, and without the name of the program."""
    return " ".join(line.split()).removeprefix("openclaw ")
