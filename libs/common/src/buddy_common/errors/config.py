"""`openclaw.json`, and changes that it does not take."""

from http import HTTPStatus
from typing import Any

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import InvalidRequestError, NotFoundError


class GatewayConfigError(BuddyError):
    """`openclaw.json` cannot be read as the JSON5 object that it must be."""

    error = "config_unreadable"
    status = HTTPStatus.CONFLICT

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} Correct the file; Buddy writes over no file that it cannot read.")


class ConfigChangedError(BuddyError):
    """`openclaw.json` is not what the client has seen; nothing was changed."""

    error = "config_changed"
    status = HTTPStatus.CONFLICT

    def __init__(self, *, current: str, changes: list[dict[str, Any]] | None) -> None:
        super().__init__(
            "openclaw.json has changed since it was read. Read it anew, then decide again.",
            hash=current,
            changes=changes,  # None: the version that the client has seen is not kept any more
        )


class ConfigRejectedError(BuddyError):
    """OpenClaw does not take the change; the message holds its own reason, and the file is as before."""

    error = "config_rejected"
    status = HTTPStatus.BAD_REQUEST


class ConfigUndoneError(BuddyError):
    """The gateway could not live with the change, which was undone."""

    error = "config_undone"
    status = HTTPStatus.BAD_GATEWAY


class IncludeUnsupportedError(BuddyError):
    """The key lies in a file that `$include` names in a way that cannot be edited safely."""

    error = "include_unsupported"
    status = HTTPStatus.CONFLICT


class BotExistsError(BuddyError):
    """There is a bot of this id already."""

    error = "bot_exists"
    status = HTTPStatus.CONFLICT

    def __init__(self, bot: str) -> None:
        super().__init__(f"There is a bot {bot!r} already. `bots/update` changes it.", bot=bot)


class ProtectedBotError(BuddyError):
    """The default bot and the last one stay."""

    error = "protected_bot"
    status = HTTPStatus.FORBIDDEN


class UnknownProviderError(NotFoundError):
    """openclaw.json has no provider of this name."""

    error = "unknown_provider"

    def __init__(self, provider: str, *, known: list[str]) -> None:
        names = ", ".join(known) or "none yet"
        super().__init__(f"There is no provider {provider!r}. Configured: {names}.", known=known)


class UnknownModelError(InvalidRequestError):
    """No configured provider has this model, or several do; `candidates` are those that can be meant."""

    error = "unknown_model"

    def __init__(self, model: str, *, candidates: list[str]) -> None:
        what = "Several providers have" if candidates else "No configured provider has"
        names = f": say which, {' or '.join(candidates)}" if candidates else ""
        super().__init__(f"{what} a model {model!r}{names}.", candidates=candidates)


class NoSuchModelError(NotFoundError):
    """The provider has no model of this id."""

    error = "no_such_model"

    def __init__(self, provider: str, model: str) -> None:
        super().__init__(f"The provider {provider!r} has no model {model!r}.")


class NoConfigError(NotFoundError):
    """There is no `openclaw.json` on the node."""

    error = "no_config"

    def __init__(self) -> None:
        super().__init__("There is no openclaw.json to back up. `buddy openclaw install` writes a first one.")


class UnknownBackupError(NotFoundError):
    """There is no backup of this name, or it is damaged."""

    error = "unknown_backup"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no whole backup {name[:80]!r}. `GET /v1/heal/backups` lists those that are kept.",
            backup=name[:80],
        )


class InUseError(BuddyError):
    """Something refers to what is to be deleted; `references` are the paths in openclaw.json."""

    error = "in_use"
    status = HTTPStatus.CONFLICT

    def __init__(self, what: str, *, references: list[str]) -> None:
        super().__init__(
            f"{what} is in use by {', '.join(references)}. Give those another model first.",
            references=references,
        )


class WorkspaceInUseError(BuddyError):
    """The workspace that a bot is to have is that of another, or holds files of that name already."""

    error = "workspace_in_use"
    status = HTTPStatus.CONFLICT

    def __init__(self, folder: str, *, bot: str | None = None) -> None:
        what = "holds such files already. Move them away, or name another bot"
        if bot is not None:
            what = f"is, or holds, the workspace of the bot {bot!r}. Name a folder that no other bot has"
        super().__init__(f"{folder} {what}.")


class UnknownArchiveError(NotFoundError):
    """No deleted bot is kept under this name."""

    error = "unknown_archive"

    def __init__(self, bot: str, *, known: list[str]) -> None:
        names = ", ".join(known) or "none"
        super().__init__(f"No deleted bot {bot!r} is kept. There are: {names}.", known=known)
