"""Answers that mirror OpenClaw: ready bytes from the node's read model, and how old they are."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, get_args

import structlog
from pydantic import BaseModel, ConfigDict

from buddy_api.ready_gzip import ReadyGzip
from buddy_api.schemas import guide_time
from buddy_api.shared_heads import SharedHeads
from buddy_common.adapters.read_model import ReadHead, ReadModel, content_tag
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import BrokerUnavailableError, NotReportedError
from buddy_common.schemas.resources import Resource

log = structlog.get_logger(__name__)

_Data = TypeVar("_Data")

# whoever reads what is older than this gets it at once, and the next one gets it fresh
REVALIDATE_SECONDS = 5.0
TELL_SECONDS = 1.0
PARSE_IN_LOOP_BYTES = 100_000
KEPT_PARTS = 64
KEPT_BYTES = 16 * 1024 * 1024

Rows = list[dict[str, Any]]
MakePart = Callable[[Rows], tuple[Rows, int]]

_NESTED = b'{"code":200,"message":"success","data":{"data":'
_FLAT = b'{"code":200,"message":"success","data":'


def _example(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Show the example of what is mirrored, once more with its age."""
    (mirrored,) = model.__pydantic_generic_metadata__["args"] or (None,)
    (row,) = get_args(mirrored) or (mirrored,)
    extra = getattr(row, "model_config", {}).get("json_schema_extra")
    shown = extra["example"] if isinstance(extra, dict) else {}
    about = {"updated_at": "2026-03-28 10:00:00", "source": "rpc", "stale": False, "age_ms": 812}
    schema["example"] = {"data": [shown] if get_args(mirrored) else shown, **about}


class Mirrored(BaseModel, Generic[_Data]):
    """What OpenClaw says, and how good that is: `stale` when its gateway cannot be asked at the moment."""

    model_config = ConfigDict(json_schema_extra=_example)

    data: _Data
    updated_at: str
    source: str
    stale: bool
    age_ms: int


@dataclass(frozen=True)
class Content:
    """The JSON of a resource or of a part of it, and its compressed form once a client has wanted that."""

    data: bytes
    tag: str
    total: int = 0  # how many rows there are, of which this is a part
    gzip: ReadyGzip = field(default_factory=ReadyGzip)


@dataclass
class _Kept:
    """The content of a resource in this process, and the parts of it that were asked for lately."""

    content: Content
    parsed: Any = None
    parts: dict[Hashable, Content] = field(default_factory=dict)
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def part(self, key: Hashable, make: MakePart) -> Content:
        """Return a part; however many ask for it, it is made once."""
        async with self.making:
            if key not in self.parts:
                if self.parsed is None:
                    self.parsed = await _parse(self.content.data)
                rows, total = make(self.parsed)
                data = self.content.data if rows is self.parsed else _to_json(rows)
                # the same rows of a list that has grown are another answer
                self._keep(key, Content(data, f"{content_tag(data)}-{total}", total))
            return self.parts[key]

    def _keep(self, key: Hashable, part: Content) -> None:
        self.parts[key] = part
        # the oldest ones make room for it
        while len(self.parts) > 1 and (len(self.parts) > KEPT_PARTS or self._bytes() > KEPT_BYTES):
            del self.parts[next(iter(self.parts))]

    def _bytes(self) -> int:
        return sum(len(part.data) for part in self.parts.values())


@dataclass(frozen=True)
class Beginning:
    """What an answer begins with for as long as its content is the same."""

    pieces: tuple[bytes, ...]
    gzip: ReadyGzip

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(map(len, self.pieces))


@dataclass(frozen=True)
class Listed:
    """A resource at this moment: its answer is a beginning and an end."""

    head: ReadHead
    content: Content

    @property
    def tag(self) -> str:
        """The weak tag of the answer: its age differs each time, what it says does not."""
        return f'W/"{self.content.tag}-{self.head.source}{"-stale" if self.head.stale else ""}"'

    def nested(self) -> Beginning:
        """Begin the envelope with the content under `data.data`."""
        return Beginning((_NESTED, self.content.data), self.content.gzip)

    def flat(self) -> Beginning:
        """Begin the envelope with the content's own fields under `data`."""
        return Beginning((_FLAT, self.content.data[:-1]), self.content.gzip)

    def end(self, **also: Any) -> bytes:
        """End either with the age of the content, which differs each time."""
        about = {
            **also,
            "updated_at": guide_time(self.head.updated_at),
            "source": self.head.source,
            "stale": self.head.stale,
            "age_ms": int(self.head.age_seconds * 1000),
        }
        return b",%b}}" % json.dumps(about, separators=(",", ":")).encode()[1:-1]


class Lists:
    """Reads what nodes mirror; a content that has not changed is not fetched again."""

    def __init__(self, read_model: ReadModel, requests: RefreshRequests, *, wait_seconds: float) -> None:
        self._read_model = read_model
        self._heads = SharedHeads(read_model)
        self._requests = requests
        self._wait_seconds = wait_seconds
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._fetching: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._told: dict[tuple[str, str], float] = {}

    async def get(self, node: str, resource: Resource, *, refresh: bool = False) -> Listed:
        """Return a resource at once as it was seen last, or with `refresh` as it is from now on.

        Raises:
            NotReportedError: the node has never published it.
            BrokerUnavailableError: the read model cannot be reached.
        """
        head, reason = None if refresh else await self._heads.get(node, resource), ""
        if head is None:
            answer = await self._requests.ask(node, resources=[resource], seconds=self._wait_seconds)
            head = await self._heads.get(node, resource)
            reason = "" if answer is None else str(answer.data.get("reasons", {}).get(resource, ""))
            if head is not None and (answer is None or resource in answer.data.get("failed", ())):
                head = replace(head, doubtful=True)  # it is not what was asked for
        elif head.age_seconds > REVALIDATE_SECONDS and head.linked:
            await self._tell(node, resource)
        if head is None:
            raise NotReportedError(node, resource, reason=reason)
        return await self._with_content(node, resource, head)

    async def part(
        self, node: str, resource: Resource, listed: Listed, key: Hashable, make: MakePart
    ) -> tuple[Listed, int]:
        """Return a part of a list, or what was made of it, and how many rows there are of it in all.

        `make` gets the rows, which it must not change; it is called once for a content and a key.
        """
        kept = self._kept.get((node, resource))
        if kept is None or kept.content is not listed.content:
            kept = _Kept(listed.content)
        part = await kept.part(key, make)
        return Listed(listed.head, part), part.total

    async def _with_content(self, node: str, resource: Resource, head: ReadHead) -> Listed:
        async with self._fetching[node, resource]:  # a large one that has changed is fetched once
            kept = self._kept.get((node, resource))
            if kept is not None and kept.content.tag == head.etag:
                return Listed(head, kept.content)
            entry = await self._read_model.get(node, resource)
            if entry is None:
                raise NotReportedError(node, resource)
            kept = self._kept[node, resource] = _Kept(Content(entry.data.encode(), entry.head.etag))
        return Listed(replace(entry.head, doubtful=head.doubtful or entry.head.doubtful), kept.content)

    async def _tell(self, node: str, resource: Resource) -> None:
        """Have it read again, at most once a second; whoever reads now does not wait for that."""
        now = time.monotonic()
        if now - self._told.get((node, resource), 0.0) < TELL_SECONDS:
            return
        self._told[node, resource] = now
        try:
            await self._requests.tell(node, [resource])
        except BrokerUnavailableError as exc:
            log.warning("refresh_not_asked", resource=resource, reason=exc.message)


def _to_json(rows: Rows) -> bytes:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


async def _parse(content: bytes) -> Any:
    small = len(content) < PARSE_IN_LOOP_BYTES
    return json.loads(content) if small else await asyncio.to_thread(json.loads, content)
