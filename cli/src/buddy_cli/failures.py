"""What can keep Buddy from starting: one line for people and an exit code for scripts each."""

from buddy_common.errors import SetupError


class PortInUseError(SetupError):
    """A port that a service needs is taken."""

    exit_code = 3


class OpenClawUnusableError(SetupError):
    """OpenClaw, or the Node.js for it, cannot be used."""

    exit_code = 4


class FolderError(SetupError):
    """A folder cannot be written."""

    exit_code = 5


class RedisUnreachableError(SetupError):
    """The Redis that was named does not answer."""

    exit_code = 6


class DatabaseUnusableError(SetupError):
    """The database cannot be opened or migrated."""

    exit_code = 7


class AlreadyRunningError(SetupError):
    """Another `buddy up` uses the same home."""

    exit_code = 8


class InstallError(SetupError):
    """Node.js or OpenClaw could not be installed."""

    exit_code = 9


class StartError(SetupError):
    """A service did not come up."""

    exit_code = 10


class SettingsError(SetupError):
    """A setting has a value that cannot be."""

    exit_code = 11


class PlaneError(SetupError):
    """A host plane was not told where its control plane keeps jobs and rows."""

    exit_code = 12
