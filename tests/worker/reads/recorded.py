"""Gateways of both generations that say what the real ones said, with the config that belonged to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from buddy_common.adapters.gateway_rpc import CALL_SECONDS, Hello
from buddy_common.adapters.transcripts import TranscriptCounter
from buddy_common.errors import GatewayRpcError
from buddy_worker.reads.sources import Files

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
NEW, OLD = "2026.9.6", "2026.3.28"
GENERATIONS = (NEW, OLD)
SECRET = "sk-a-planted-secret-9f3c"
Params = dict[str, Any]


@cache
def _recording(version: str) -> str:
    return (TRANSCRIPTS / f"rpc-{version}.json").read_text()


def recording(version: str) -> dict[str, Any]:
    """Return what the gateway answered, by method; the test may change it."""
    found: dict[str, Any] = json.loads(_recording(version))
    return found


def recorded_hello(version: str) -> Hello:
    said = recording(version)["hello"]
    return Hello(
        protocol=said["protocol"],
        version=said["server"]["version"],
        boot_id=said["server"].get("bootId"),
        methods=frozenset(said["features"]["methods"]),
        events=frozenset(said["features"]["events"]),
        scopes=frozenset(said["auth"]["scopes"]),
        snapshot={},
    )


@dataclass
class RecordedGateway:
    """A connected gateway; an answer may be replaced, also by a function of the parameters."""

    version: str
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, Params]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # for how long each caller would have waited

    def __post_init__(self) -> None:
        self.hello = recorded_hello(self.version)
        self.answers = recording(self.version) | {"agents.files.list": self._files_of} | self.answers

    def has(self, method: str) -> bool:
        return method in self.hello.methods

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float = CALL_SECONDS
    ) -> Any:
        self.waits.append(seconds)
        self.calls.append((method, dict(params or {})))
        answer = self.answers[method]
        value = answer(dict(params or {})) if callable(answer) else answer
        if "__error__" in value:
            error = value["__error__"]
            raise GatewayRpcError(method, code=error["code"], reason=error["message"])
        return value

    def asked(self, method: str) -> list[Params]:
        """Return the parameters of all calls of a method."""
        return [params for name, params in self.calls if name == method]

    def _files_of(self, params: Params) -> Any:
        """Only `main` was recorded; where the others' workspaces were, is known."""
        said, bot = recording(self.version)["agents.files.list"], params["agentId"]
        return said if bot == "main" else said | {"agentId": bot, "workspace": f"/state/workspace-{bot}"}


@dataclass
class RecordedCommands:
    """An `openclaw` command that answers what the test wrote down for it."""

    answer: Any
    old: bool
    calls: list[tuple[tuple[str, ...], dict[str, str]]] = field(default_factory=list)

    async def json(self, *command: str, options: Mapping[str, str] | None = None) -> Any:
        self.calls.append((command, dict(options or {})))
        return self.answer

    async def is_old(self) -> bool:
        return self.old


def cli_answer(version: str, case: str) -> Any:
    """Return the JSON that a command answered."""
    for said in json.loads((TRANSCRIPTS / f"cli-{version}.json").read_text()):
        if said["case"] == case:
            return json.loads(said["stdout"] or said["stderr"])
    raise LookupError(case)


def config_of(version: str) -> dict[str, Any]:
    """Return the config that the gateway had, in the layout of its generation."""
    bots: dict[str, dict[str, Any]] = {
        "main": {},
        "bot_1": {
            "name": "Bot One",
            "model": "mock/mock-2",
            "identity": {"name": "一号", "emoji": "🤖"},
        },
        "bot_2": {"name": "Changed 1795621605", "model": {"primary": "second/org/deep-1"}},
    }
    agents: dict[str, Any] = {"defaults": {"model": {"primary": "mock/mock-1"}}}
    if version == NEW:
        agents |= {"entries": bots, "ownership": "explicit"}
    else:
        agents |= {"list": [{"id": name, **bot} for name, bot in bots.items()]}
    return {
        "agents": agents,
        "models": {
            "providers": {
                "mock": _provider(
                    {"id": "mock-1", "name": "Mock One", "contextWindow": 64000},
                    {"id": "mock-2", "name": "Mock Two", "contextWindow": 64000, "input": ["text", "image"]},
                ),
                "second": _provider({"id": "org/deep-1", "name": "Deep"}),
            }
        },
    }


def _provider(*models: dict[str, Any]) -> dict[str, Any]:
    return {
        "baseUrl": "http://127.0.0.1:1/v1",
        "apiKey": SECRET,
        "api": "openai-completions",
        "models": [model | {"headers": {"Authorization": f"Bearer {SECRET}"}} for model in models],
    }


def files_of(state_dir: Path, config: dict[str, Any], last: dict[str, Any] | None = None) -> Files:
    """Return a state folder with this config, and what was read before."""
    counter = TranscriptCounter(state_dir / "agents", keep_days=90)
    return Files(state_dir, config, counter, last or {})
