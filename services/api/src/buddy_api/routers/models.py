"""The providers of models, and which model is the default."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from buddy_api.changes import BaseHash, Change, Changed, change_responses
from buddy_api.deps import LIST_ERRORS
from buddy_api.envelope import Envelope, problems
from buddy_api.mirrored import Mirrored
from buddy_api.node_lists import Mirror
from buddy_api.openclaw_schemas import ModelsConfig
from buddy_common.errors import (
    InUseError,
    InvalidRequestError,
    NoSuchModelError,
    UnknownModelError,
    UnknownProviderError,
)
from buddy_common.schemas.config_values import ConfigKey, ConfigObject, ConfigValue, WebAddress, require_fit
from buddy_common.schemas.model_jobs import (
    DeleteModelJob,
    DeleteProviderJob,
    SetDefaultModelJob,
    SetProviderJob,
    SetProviderModelJob,
)
from buddy_common.schemas.names import ModelRef, ProviderName
from buddy_common.schemas.resources import Resource

router = APIRouter(prefix="/v1/openclaw/models", tags=["models"])


def _told_together(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Say of the one field why it is nothing that it may be, not of each kind of value by itself."""
    try:
        return check(value)
    except ValidationError as exc:
        problems = [error["msg"].removeprefix("Value error, ") for error in exc.errors()]
        raise ValueError("; or ".join(dict.fromkeys(problems))) from exc


_Address = Annotated[WebAddress, Field(max_length=2048)] | None
_Key = Annotated[Annotated[str, Field(max_length=4096)] | ConfigObject | None, WrapValidator(_told_together)]
_PROVIDER = AliasChoices("provider", "providerName", "name")


class _OpenClawFields(BaseModel):
    """What OpenClaw's schema has in this place, beside the names of what is meant."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[ConfigKey, ConfigValue] = Field(init=False)

    @property
    def openclaw_fields(self) -> dict[str, Any]:
        """The fields that were given, without the names."""
        return self.model_dump(exclude={"provider", "id"}, exclude_unset=True)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        require_fit(self.openclaw_fields)
        return self


class SetProvider(_OpenClawFields):
    """A provider; further fields are those of OpenClaw, and null takes one away."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider": "aliyun",
                "baseUrl": "https://dashscope.example/v1",
                "apiKey": "sk-…abcd",
                "api": "openai-completions",
            }
        },
    )

    provider: ProviderName = Field(validation_alias=_PROVIDER)
    baseUrl: _Address = None  # noqa: N815 - OpenClaw's name
    apiKey: _Key = Field(  # noqa: N815 - as above
        default=None, description="A masked one means the one that is there; also `${NAME}` or a SecretRef"
    )
    api: Annotated[str, Field(max_length=64)] | None = None
    models: list[ConfigObject] | None = Field(default=None, max_length=1000)


class SetProviderModel(_OpenClawFields):
    """A model of a provider; further fields are those of OpenClaw, and null takes one away."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"provider": "aliyun", "id": "qwen3.5-plus", "contextWindow": 131072}},
    )

    provider: ProviderName = Field(validation_alias=AliasChoices("provider", "providerName"))
    id: ModelRef = Field(validation_alias=AliasChoices("id", "modelId"))
    baseUrl: _Address = None  # noqa: N815 - OpenClaw's name


class SetDefault(BaseModel):
    """Which model is the default."""

    model_config = ConfigDict(json_schema_extra={"example": {"model": "aliyun/qwen3.5-plus"}})

    model: ModelRef = Field(
        validation_alias=AliasChoices("model", "modelId", "id"),
        description="`provider/id`, or an id that one provider has",
    )


@router.get("/config", response_model=Envelope[Mirrored[ModelsConfig]], responses=problems(*LIST_ERRORS))
async def models_config(mirror: Mirror) -> Response:
    """List the providers as openclaw.json has them; keys are masked, as in `sk-…abcd`."""
    return await mirror.nested(await mirror.get(Resource.MODELS_CONFIG))


@router.post("/provider", response_model=Envelope[Changed], responses=change_responses())
async def set_provider(body: SetProvider, change: Change, base: BaseHash) -> Response:
    """Add a provider, or change the fields that are given."""
    job = SetProviderJob(provider=body.provider, config=body.openclaw_fields, base_hash=base)
    return await change.make(job, "渠道已保存")


@router.post(
    "/provider/model", response_model=Envelope[Changed], responses=change_responses(UnknownProviderError)
)
async def set_provider_model(body: SetProviderModel, change: Change, base: BaseHash) -> Response:
    """Add a model to a provider, or change the fields that are given."""
    job = SetProviderModelJob(
        provider=body.provider, model=body.id, config=body.openclaw_fields, base_hash=base
    )
    return await change.make(job, "模型已保存")


@router.delete(
    "/provider/{provider}",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownProviderError, InUseError),
)
async def delete_provider(
    provider: Annotated[ProviderName, Path()], change: Change, base: BaseHash
) -> Response:
    """Take a provider out, with all its models; 409 with the list while something refers to one."""
    return await change.make(DeleteProviderJob(provider=provider, base_hash=base), "渠道已删除")


@router.delete(
    "/provider/{provider}/model/{model:path}",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownProviderError, NoSuchModelError, InUseError),
)
async def delete_model(
    provider: Annotated[ProviderName, Path()],
    model: Annotated[ModelRef, Path(description="May hold slashes")],
    request: Request,
    change: Change,
    base: BaseHash,
) -> Response:
    """Take a model out of its provider; 409 with the list while something refers to it."""
    if request.scope["path"].endswith("\n"):  # which the pattern of a route's `:path` overlooks
        raise InvalidRequestError.of_field("model", "it ends with a line feed.")
    return await change.make(DeleteModelJob(provider=provider, model=model, base_hash=base), "模型已删除")


@router.post("/set-default", response_model=Envelope[Changed], responses=change_responses(UnknownModelError))
async def set_default(body: SetDefault, change: Change, base: BaseHash) -> Response:
    """Set the model of all bots that have none of their own."""
    return await change.make(SetDefaultModelJob(model=body.model, base_hash=base), "默认模型修改成功")
