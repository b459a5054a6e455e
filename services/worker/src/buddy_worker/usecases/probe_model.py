"""Have a provider of models answer, past the gateway."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from buddy_common.adapters.model_call import compose_call
from buddy_common.adapters.model_dial import DIAL_SECONDS, dial
from buddy_common.adapters.openclaw_config import Config, models_of, providers_of
from buddy_common.adapters.openclaw_variables import variables_of
from buddy_common.errors import NoSuchModelError, UnknownProviderError


class ModelProbed(BaseModel):
    """What the provider did; a failure of its is news and no failure of ours."""

    latency: int
    status: Literal["success", "failed"]
    httpStatus: int | None  # noqa: N815 - the guide's style
    reason: str | None


async def probe_model(
    config: Config,
    *,
    provider: str,
    model: str,
    environment: Mapping[str, str],
    state_dir: Path,
    seconds: float = DIAL_SECONDS,
) -> ModelProbed:
    """Ask a model that openclaw.json names; `environment` is what OpenClaw's process has.

    Raises:
        UnknownProviderError: openclaw.json has no such provider.
        NoSuchModelError: the provider has no such model.
        UnsupportedApiError: Buddy does not speak what it speaks.
        UnresolvedKeyError: its key is not to be had outside of OpenClaw.
    """
    providers = providers_of(config)
    if provider not in providers:
        raise UnknownProviderError(provider, known=sorted(providers))
    entry = _model(config, provider, model)
    variables = await asyncio.to_thread(variables_of, config, environment, state_dir)
    call = compose_call(provider, providers[provider], entry, variables=variables)
    answer = await dial(call, seconds=seconds)
    return ModelProbed(
        latency=answer.latency_ms,
        status="success" if answer.reason is None else "failed",
        httpStatus=answer.http_status,
        reason=answer.reason,
    )


def _model(config: Config, provider: str, model: str) -> dict[str, Any]:
    of_provider = [entry for entry in models_of(config) if entry.provider == provider]
    for wanted in (model, model.removeprefix(f"{provider}/")):
        for entry in of_provider:
            if entry.id == wanted:
                return entry.raw
    raise NoSuchModelError(provider, model)
