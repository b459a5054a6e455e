"""Where the reads get their facts: the gateway first, `openclaw` second, the files last."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from buddy_common.adapters.gateway_rpc import CALL_SECONDS
from buddy_common.adapters.openclaw_config import Config, default_agent, section
from buddy_common.adapters.transcripts import TranscriptCounter

# the older generation tells one workspace at a time: hundreds are not asked for with each reading
TOLD_SECONDS = 60.0


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


@dataclass
class ToldWorkspaces:
    """Where the gateway said the workspaces are that the config does not name, for as long as it holds."""

    cause: object = None  # what in the config decides it
    at: float = 0.0  # monotonic
    of: dict[str, str | None] = field(default_factory=dict)  # by agent

    def keep(self, config: Config, workspaces: dict[str, str | None]) -> None:
        """Keep what the gateway has just said."""
        self.cause, self.at, self.of = _cause(config), time.monotonic(), workspaces

    def under(self, config: Config) -> dict[str, str | None]:
        """Return what it said last, if that is not of another config."""
        return self.of if _cause(config) == self.cause else {}

    def lately(self, config: Config) -> dict[str, str | None]:
        """Return the same if it is recent: it may have said it before it took an edit in."""
        return self.under(config) if time.monotonic() - self.at < TOLD_SECONDS else {}


def _cause(config: Config) -> object:
    return section(config, "agents", "defaults").get("workspace"), default_agent(config)


@dataclass(frozen=True)
class Files:
    """What the state folder holds at this moment."""

    state_dir: Path
    config: Config  # `openclaw.json` with its includes
    transcripts: TranscriptCounter
    last: dict[str, Any] = field(default_factory=dict)  # what was read before, by resource
    workspaces: ToldWorkspaces = field(default_factory=ToldWorkspaces)


def is_new_generation(gateway: GatewayCalls) -> bool:
    """Whether the gateway is of the newer generation, by what it can."""
    return gateway.has("plugins.list")
