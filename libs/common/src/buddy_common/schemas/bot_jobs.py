"""The jobs that change bots, which OpenClaw calls agents."""

from typing import ClassVar

from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.config_values import ConfigObject
from buddy_common.schemas.names import ArchiveName, BotId, FolderPath, Label, ModelRef


class _BotJob(ConfigJob):
    module: ClassVar[str] = "bots"

    id: BotId

    @property
    def target(self) -> str | None:
        """The bot."""
        return self.id


class AddBotJob(_BotJob):
    """Add a bot, with a workspace of its own."""

    task: ClassVar[str] = "buddy.bots.add"
    title: ClassVar[str] = "Add bot"
    action: ClassVar[str] = "add"

    model: ModelRef | None = None  # None: the default one
    workspace: FolderPath | None = None
    name: Label | None = None
    emoji: Label | None = None


class TemplateBotJob(_BotJob):
    """Add a bot that is what an expert template says: all of it, or nothing."""

    task: ClassVar[str] = "buddy.bots.template"
    title: ClassVar[str] = "Add bot from template"
    action: ClassVar[str] = "template"

    expert: str
    model: ModelRef | None = None
    name: Label
    emoji: Label | None = None
    files: dict[str, str]  # of its workspace: name and text


class UpdateBotJob(_BotJob):
    """Change what a bot's entry says; a key whose value is null goes."""

    task: ClassVar[str] = "buddy.bots.update"
    title: ClassVar[str] = "Update bot"
    action: ClassVar[str] = "update"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"config"})

    config: ConfigObject


class SetBotIdentityJob(_BotJob):
    """Change the name under which a bot appears."""

    task: ClassVar[str] = "buddy.bots.set_identity"
    title: ClassVar[str] = "Set bot identity"
    action: ClassVar[str] = "set_identity"

    name: Label | None = None
    emoji: Label | None = None
    theme: Label | None = None
    avatar: Label | None = None


class SetBotModelJob(_BotJob):
    """Give a bot another model."""

    task: ClassVar[str] = "buddy.bots.set_model"
    title: ClassVar[str] = "Set bot model"
    action: ClassVar[str] = "set_model"

    model: ModelRef


class DeleteBotJob(_BotJob):
    """Take a bot out; its workspace is kept in an archive."""

    task: ClassVar[str] = "buddy.bots.delete"
    title: ClassVar[str] = "Delete bot"
    action: ClassVar[str] = "delete"


class RestoreBotJob(_BotJob):
    """Bring back a bot that was deleted, from its archive."""

    task: ClassVar[str] = "buddy.bots.restore"
    title: ClassVar[str] = "Restore bot"
    action: ClassVar[str] = "restore"

    archive: ArchiveName | None = None  # None: the newest of this bot
