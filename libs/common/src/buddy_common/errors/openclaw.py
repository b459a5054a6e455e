"""The `openclaw` program, and what it keeps."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import NotFoundError


class OpenClawNotFoundError(BuddyError):
    """There is no `openclaw` program on this node."""

    error = "openclaw_not_found"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class UnusableNodeError(OpenClawNotFoundError):
    """`openclaw` is there, but refuses the Node.js that it was given."""

    error = "unusable_node"


class ProgramStartError(BuddyError):
    """A program that a job needs could not be executed; the message names it and says why."""

    error = "program_start_failed"
    status = HTTPStatus.BAD_GATEWAY


class OpenClawCliError(BuddyError):
    """The `openclaw` command failed; the message holds its own reason."""

    error = "openclaw_cli_failed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, message: str, *, exit_code: int | None, signal: str | None) -> None:
        super().__init__(message, exit_code=exit_code, signal=signal)
        self.exit_code = exit_code
        self.signal = signal


class UnknownBotError(NotFoundError):
    """OpenClaw has no bot of this id."""

    error = "unknown_bot"

    def __init__(self, bot: str) -> None:
        super().__init__(f"There is no bot {bot!r}. `GET /v1/openclaw/bots-models` lists them.", bot=bot)


class UnknownBotFileError(NotFoundError):
    """The bot's workspace has no such file."""

    error = "unknown_file"

    def __init__(self, name: str) -> None:
        super().__init__(f"The bot has no file {name!r} yet.", file=name)


class BotFileError(BuddyError):
    """The file cannot be read as a text of the bot's workspace."""

    error = "bad_file"
    status = HTTPStatus.BAD_REQUEST


class FileChangedError(BuddyError):
    """The file is not the one that the client has seen; nothing was written over it."""

    error = "file_changed"
    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, name: str, *, etag: str | None) -> None:
        super().__init__(
            f"{name} has changed since it was read. Read it anew, then write it with its new `ETag`.",
            file=name,
            etag=etag,  # None: there is no such file now
        )


class PluginNotInstalledError(BuddyError):
    """OpenClaw reported success, but the plugin is not there."""

    error = "plugin_not_installed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} The output of the task shows what it said.")


class UnknownPluginError(NotFoundError):
    """OpenClaw has no plugin of this id."""

    error = "unknown_plugin"

    def __init__(self, plugin: str) -> None:
        super().__init__(f"There is no plugin {plugin!r}. `GET /v1/openclaw/plugins` lists them.")


class PluginNotRemovedError(BuddyError):
    """OpenClaw reported success, but still lists the plugin as installed."""

    error = "plugin_not_removed"
    status = HTTPStatus.BAD_GATEWAY

    def __init__(self, plugin: str) -> None:
        super().__init__(
            f"OpenClaw still lists the plugin {plugin!r}. The output of the task shows what it said.",
        )


class PluginNotUpdatedError(BuddyError):
    """None of the plugins could be updated; `plugins` says of each why."""

    error = "plugin_not_updated"
    status = HTTPStatus.BAD_GATEWAY


class BundledPluginError(BuddyError):
    """The plugin is part of OpenClaw itself."""

    error = "bundled_plugin"
    status = HTTPStatus.FORBIDDEN

    def __init__(self, plugin: str, *, instead: str) -> None:
        super().__init__(f"The plugin {plugin!r} is part of OpenClaw itself. {instead}")


class UnknownExpertError(NotFoundError):
    """There is no template of this id."""

    error = "unknown_expert"

    def __init__(self, expert: str) -> None:
        super().__init__(f"There is no template {expert!r}. `GET /v1/openclaw/experts` lists them.")
