"""Testing a model past the gateway. The node asks; the api itself never dials a provider."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from buddy_api.changes import Change, job_responses
from buddy_api.envelope import Envelope
from buddy_common.errors import (
    GatewayConfigError,
    NoSuchModelError,
    UnknownProviderError,
    UnresolvedKeyError,
    UnsupportedApiError,
)
from buddy_common.schemas.model_probe_jobs import ModelName, ProbeModelJob

router = APIRouter(prefix="/v1/openclaw/models", tags=["models"])


class ModelToTest(BaseModel):
    """Which model of which provider, as openclaw.json has both."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"providerName": "aliyun", "modelId": "qwen3.5-plus"}}
    )

    providerName: ModelName  # noqa: N815 - the guide's name
    modelId: ModelName  # noqa: N815 - the guide's name


class ModelTested(BaseModel):
    """How the provider did: `latency` is the ms to its first byte, `reason` why it `failed`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "latency": 450,
                "status": "success",
                "httpStatus": 200,
                "reason": None,
                "message": "测试完成",
                "taskID": "task-1774656000-9f3c1a7e",
            }
        }
    )

    latency: int
    status: Literal["success", "failed"]
    httpStatus: int | None  # noqa: N815 - the guide's style
    reason: str | None
    message: str
    taskID: str  # noqa: N815 - the guide's name


@router.post(
    "/test-direct",
    response_model=Envelope[ModelTested],
    responses=job_responses(
        GatewayConfigError, NoSuchModelError, UnknownProviderError, UnresolvedKeyError, UnsupportedApiError
    ),
)
async def test_direct(body: ModelToTest, change: Change) -> Response:
    """Ask a configured provider itself for a word; what it fails of is told in `data`, not as our status."""
    job = ProbeModelJob(provider=body.providerName, model=body.modelId)
    return await change.make(job, "测试完成", flat=True)
