"""A refresher among fakes: a link, a command line, a config and a broker that do as the test wants."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from buddy_common.adapters.gateway_rpc import CALL_SECONDS, Hello
from buddy_common.errors import BrokerUnavailableError, BuddyError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.refresher import Refresher
from buddy_worker.reads.sources import Files, GatewayCalls, OpenClawCommands
from buddy_worker.reads.table import Read

UNIX = 1_774_663_200.0


@dataclass
class Clock:
    """The clocks of our module alone; the loop keeps the real ones."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return UNIX + self.now


@dataclass
class FakeLink:
    """A connection to the gateway, or none."""

    hello: Hello | None
    answer: Any = "of the gateway"

    def has(self, method: str) -> bool:
        return self.hello is not None and method in self.hello.methods

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, seconds: float = CALL_SECONDS
    ) -> Any:
        del method, params, seconds
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakeCommands:
    """A command line that has one answer."""

    answer: Any = "of the command"
    runs: int = 0

    async def json(self, *command: str, options: Mapping[str, str] | None = None) -> Any:
        del command, options
        self.runs += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def is_old(self) -> bool:
        return False


@dataclass
class FakeConfig:
    """The config of the gateway, as it is watched."""

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    known: bool = True
    problem: BuddyError | None = None


@dataclass
class FakeEdits:
    """Edits that the gateway has taken in, or not yet."""

    are_awaited: bool = False


@dataclass(frozen=True)
class Published:
    """What a node published of a resource."""

    data: Any
    source: str
    fresh_seconds: float
    of_gateway: bool
    doubtful: bool = False
    updated_at: float = field(default=0.0, compare=False)


@dataclass
class FakeReadModel:
    """A broker that takes everything, or nothing."""

    gone: bool = False
    held: dict[str, asyncio.Event] = field(default_factory=dict)  # it takes this resource only then
    holds: asyncio.Event = field(default_factory=asyncio.Event)  # it was given what it does not take yet
    published: list[tuple[str, Published]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    doubted: list[str] = field(default_factory=list)

    async def doubt(self, node: str, resource: str) -> None:
        if self.gone:
            raise BrokerUnavailableError("gone")
        assert node == "local"
        self.doubted.append(resource)

    async def put(
        self,
        node: str,
        resource: str,
        value: str,
        *,
        source: str,
        fresh_seconds: float,
        of_gateway: bool,
        updated_at: float,
        doubtful: bool,
    ) -> None:
        if resource in self.held:
            self.holds.set()
            await self.held[resource].wait()
        if self.gone:
            raise BrokerUnavailableError("gone")
        assert node == "local"
        self.texts.append(value)
        published = Published(
            json.loads(value), source, fresh_seconds,
            of_gateway=of_gateway, doubtful=doubtful, updated_at=updated_at,
        )  # fmt: skip
        self.published.append((resource, published))

    @property
    def latest(self) -> dict[str, Published]:
        return dict(self.published)

    def data(self, resource: Resource) -> list[Any]:
        return [entry.data for name, entry in self.published if name == resource]


@dataclass
class Scene:
    """A refresher among fakes."""

    link: FakeLink
    commands: FakeCommands
    config: FakeConfig
    read_model: FakeReadModel
    clock: Clock
    edits: FakeEdits
    refresher: Refresher

    def go_down(self) -> None:
        self.link.hello = None

    def edit_config(self) -> None:
        self.config.config = {"edited": True}


@dataclass
class Gate:
    """A read of the gateway that ends when it may, and says how often it was begun."""

    begun: int = 0
    running: int = 0
    most_at_once: int = 0
    began: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    may_end: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def read(self, _gateway: GatewayCalls, _files: Files) -> Any:
        self.begun += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        number = self.begun
        self.began.put_nowait(number)
        try:
            await self.may_end.acquire()
        finally:
            self.running -= 1
        return number


async def ask_gateway(gateway: GatewayCalls, _files: Files) -> Any:
    return await gateway.call("skills.status")


async def run_command(openclaw: OpenClawCommands, _files: Files) -> Any:
    return await openclaw.json("skills", "list")


def look_at_files(files: Files) -> Any:
    return {"of the files": files.config}


SKILLS = Read(Resource.SKILLS, 60, gateway=ask_gateway, methods=("skills.status",), command=run_command)
BOTS = Read(Resource.BOTS_MODELS, 30, gateway=ask_gateway, methods=("agents.list",), files=look_at_files)
CHAT = Read(Resource.CHAT, 30, files=look_at_files)
PLUGINS = Read(Resource.PLUGINS, 60, gateway=ask_gateway, methods=("plugins.list",), command=run_command)


def gated(gate: Gate) -> Read:
    return replace(SKILLS, gateway=gate.read)
