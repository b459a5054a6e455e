"""Changes of bots: each a job, whose outcome is the answer."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Response
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from buddy_api.changes import BaseHash, Change, Changed, change_responses
from buddy_api.deps import Wired
from buddy_api.envelope import Envelope
from buddy_api.experts import Language
from buddy_common.errors import (
    BotExistsError,
    InvalidRequestError,
    ProtectedBotError,
    UnknownArchiveError,
    UnknownBotError,
    UnknownExpertError,
    UnknownModelError,
    WorkspaceInUseError,
)
from buddy_common.schemas.bot_jobs import (
    AddBotJob,
    DeleteBotJob,
    RestoreBotJob,
    SetBotIdentityJob,
    SetBotModelJob,
    TemplateBotJob,
    UpdateBotJob,
)
from buddy_common.schemas.config_values import ConfigObject, require_fit
from buddy_common.schemas.names import ArchiveName, BotId, FolderPath, Label, ModelRef

router = APIRouter(prefix="/v1/openclaw/bots", tags=["bots"])

# what the guide says of each
_ADDED = "创建成功"
_UPDATED = "配置已更新"
_RENAMED = "名称修改成功"
_MODEL_SET = "模型修改成功"
_DELETED = "机器人已彻底移除"

# of `update`: fields that may also stand beside `config`
_FLAT = ("name", "model", "emoji")
_FOLDER: TypeAdapter[str] = TypeAdapter(FolderPath)


class AddBot(BaseModel):
    """A new bot."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"id": "bot_1", "model": "yovole/glm-5", "workspace": "/srv/openclaw/workspace-bot_1"}
        }
    )

    id: BotId
    model: ModelRef | None = Field(default=None, description="`provider/id`, or an id that one provider has")
    workspace: FolderPath | None = Field(default=None, description="On the node; by default its own folder")
    name: Label | None = None
    emoji: Label | None = None


class FromTemplate(BaseModel):
    """A new bot that is what a template says."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"expertId": "architect", "newBotId": "my_dev_lead"}}
    )

    expertId: Annotated[str, Field(max_length=64)]  # noqa: N815 - the guide's name
    newBotId: BotId = Field(validation_alias=AliasChoices("newBotId", "botId"))  # noqa: N815 - the guide's name
    modelId: ModelRef | None = None  # noqa: N815 - the guide's style
    name: Label | None = None
    lang: Language = "zh"


def _require_folder(config: dict[str, Any]) -> dict[str, Any]:
    """Check where a bot is to have its workspace; null takes the key out.

    Raises:
        ValueError: it is no path that a bot may have.
    """
    if config.get("workspace") is None:
        return config
    try:
        _FOLDER.validate_python(config["workspace"])
    except ValidationError as exc:
        problem = exc.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"workspace: {problem}") from exc
    return config


class UpdateBot(BaseModel):
    """What to change of a bot: in `config`, or beside it."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1", "config": {"emoji": "🤖"}}})

    id: BotId
    config: Annotated[ConfigObject, AfterValidator(_require_folder)] = {}
    name: Label | None = None
    model: ModelRef | None = None
    emoji: Label | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """All that is to change."""
        flat = {name: value for name in _FLAT if (value := getattr(self, name)) is not None}
        return self.config | flat

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        require_fit(self.changes)
        return self


class SetIdentity(BaseModel):
    """How a bot appears."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1", "name": "New Name"}})

    id: BotId
    name: Label | None = None
    emoji: Label | None = None
    theme: Label | None = None
    avatar: Label | None = None


class SetModel(BaseModel):
    """Which model a bot uses."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1", "model": "yovole/glm-5"}})

    id: BotId
    model: ModelRef = Field(description="`provider/id`, or an id that one provider has")


class BotOf(BaseModel):
    """Which bot."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1"}})

    id: BotId


class RestoreBot(BaseModel):
    """Which deleted bot to bring back."""

    model_config = ConfigDict(json_schema_extra={"example": {"id": "bot_1"}})

    id: BotId
    archive: ArchiveName | None = Field(
        default=None, description="As `bots/delete` answered; by default the newest of this bot"
    )


@router.post(
    "/add",
    response_model=Envelope[Changed],
    responses=change_responses(BotExistsError, UnknownModelError, WorkspaceInUseError, message=_ADDED),
)
async def add(body: AddBot, change: Change, base: BaseHash) -> Response:
    """Add a bot, with a workspace of its own."""
    return await change.make(AddBotJob(**body.model_dump(), base_hash=base), _ADDED)


@router.post(
    "/template",
    response_model=Envelope[Changed],
    responses=change_responses(
        BotExistsError, UnknownExpertError, UnknownModelError, WorkspaceInUseError, message=_ADDED
    ),
)
async def template(body: FromTemplate, w: Wired, change: Change, base: BaseHash) -> Response:
    """Add a bot that is what an expert template says: all of it, or nothing."""
    expert = w.experts.get(body.expertId)
    job = TemplateBotJob(
        id=body.newBotId,
        expert=expert.id,
        model=body.modelId,
        name=body.name or expert.name[body.lang],
        emoji=expert.emoji,
        files={"SOUL.md": expert.soul[body.lang], "IDENTITY.md": expert.identity[body.lang]},
        base_hash=base,
    )
    return await change.make(job, _ADDED)


@router.post(
    "/update",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownBotError, UnknownModelError, WorkspaceInUseError, message=_UPDATED),
)
async def update(body: UpdateBot, change: Change, base: BaseHash) -> Response:
    """Change what a bot's entry in openclaw.json says; a key whose value is null goes."""
    if not body.changes:
        raise InvalidRequestError.of_field("config", "name at least one field to change.")
    return await change.make(UpdateBotJob(id=body.id, config=body.changes, base_hash=base), _UPDATED)


@router.post(
    "/set-identity",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownBotError, message=_RENAMED),
)
async def set_identity(body: SetIdentity, change: Change, base: BaseHash) -> Response:
    """Change the name under which a bot appears, its emoji, theme or avatar."""
    if not any((body.name, body.emoji, body.theme, body.avatar)):
        raise InvalidRequestError.of_field("name", "give a name, an emoji, a theme or an avatar.")
    return await change.make(SetBotIdentityJob(**body.model_dump(), base_hash=base), _RENAMED)


@router.post(
    "/set-model",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownBotError, UnknownModelError, message=_MODEL_SET),
)
async def set_model(body: SetModel, change: Change, base: BaseHash) -> Response:
    """Give a bot another model."""
    return await change.make(SetBotModelJob(**body.model_dump(), base_hash=base), _MODEL_SET)


@router.post(
    "/delete",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownBotError, ProtectedBotError, message=_DELETED),
)
async def delete(body: BotOf, change: Change, base: BaseHash) -> Response:
    """Take a bot out; `bots/restore` brings it back with workspace and sessions, without scheduled jobs."""
    return await change.make(DeleteBotJob(id=body.id, base_hash=base), _DELETED)


@router.post(
    "/restore",
    response_model=Envelope[Changed],
    responses=change_responses(BotExistsError, UnknownArchiveError, WorkspaceInUseError),
)
async def restore(body: RestoreBot, change: Change, base: BaseHash) -> Response:
    """Bring back a bot that was deleted."""
    return await change.make(RestoreBotJob(**body.model_dump(), base_hash=base), "机器人已恢复")
