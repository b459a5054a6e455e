"""Where the reads get their facts: the gateway first, `openclaw` second, the files last."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from buddy_common.adapters.gateway_rpc import CALL_SECONDS
from buddy_common.adapters.openclaw_config import Config
from buddy_common.adapters.transcripts import TranscriptCounter


class GatewayCalls(Protocol):
    """The gateway that is connected."""

    def has(self, method: str) -> bool:
        """Whether it knows this method."""
        ...

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float = CALL_SECONDS
    ) -> Any:
        """Return its answer, or raise one of the gateway errors."""
        ...


class OpenClawCommands(Protocol):
    """The `openclaw` command; each call costs seconds of CPU."""

    async def json(self, *command: str, options: Mapping[str, str] | None = None) -> Any:
        """Run `openclaw COMMAND --json` and return its answer, or raise what it failed of."""
        ...

    async def is_old(self) -> bool:
        """Whether it is of the older generation."""
        ...


@dataclass(frozen=True)
class Files:
    """What the state folder holds at this moment."""

    state_dir: Path
    config: Config  # `openclaw.json` with its includes
    transcripts: TranscriptCounter
    last: dict[str, Any] = field(default_factory=dict)  # what was read before, by resource


def is_new_generation(gateway: GatewayCalls) -> bool:
    """Whether the gateway is of the newer generation, by what it can."""
    return gateway.has("plugins.list")
