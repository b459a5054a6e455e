"""Answers that mirror OpenClaw: ready bytes from the node's read model, and how old they are."""

import asyncio
import json
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, get_args

import structlog
from pydantic import BaseModel, ConfigDict

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
KEPT_PART_BYTES = 256 * 1024

# what is made of a content, its tag, and how many rows there are of it in all
Part = tuple[bytes, str, int]


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


@dataclass
class _Kept:
    """The content of a resource in this process, and the parts of it that were asked for lately."""

    etag: str
    content: bytes
    parsed: Any = None
    parts: dict[Hashable, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """A resource at this moment."""

    head: ReadHead
    content: bytes

    @property
    def tag(self) -> str:
        """The weak tag of the answer: its age differs each time, what it says does not."""
        return f'W/"{self.head.etag}-{self.head.source}{"-stale" if self.head.stale else ""}"'

    def nested(self, **also: Any) -> bytes:
        """Return the envelope with the content under `data.data`."""
        return b'{"code":200,"message":"success","data":{"data":%b,%b}}' % (self.content, self._about(also))

    def flat(self) -> bytes:
        """Return the envelope with the content's own fields under `data`."""
        return b'{"code":200,"message":"success","data":%b,%b}}' % (self.content[:-1], self._about({}))

    def _about(self, also: dict[str, Any]) -> bytes:
        about = {
            **also,
            "updated_at": guide_time(self.head.updated_at),
            "source": self.head.source,
            "stale": self.head.stale,
            "age_ms": int(self.head.age_seconds * 1000),
        }
        return json.dumps(about, separators=(",", ":")).encode()[1:-1]


Rows = list[dict[str, Any]]
MakePart = Callable[[Rows], tuple[Rows, int]]


class Lists:
    """Reads what nodes mirror; a content that has not changed is not fetched again."""

    def __init__(self, read_model: ReadModel, requests: RefreshRequests, *, wait_seconds: float) -> None:
        self._read_model = read_model
        self._heads = SharedHeads(read_model)
        self._requests = requests
        self._wait_seconds = wait_seconds
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._told: dict[tuple[str, str], float] = {}

    async def get(self, node: str, resource: Resource, *, refresh: bool = False) -> Listed:
        """Return a resource at once as it was seen last, or with `refresh` as it is from now on.

        Raises:
            NotReportedError: the node has never published it.
            BrokerUnavailableError: the read model cannot be reached.
        """
        head = None if refresh else await self._heads.get(node, resource)
        if head is None:
            answer = await self._requests.ask(node, resources=[resource], seconds=self._wait_seconds)
            head = await self._heads.get(node, resource)
            if head is not None and (answer is None or resource in answer.data.get("failed", ())):
                head = replace(head, doubtful=True)  # it is not what was asked for
        elif head.age_seconds > REVALIDATE_SECONDS and head.linked:
            await self._tell(node, resource)
        if head is None:
            raise NotReportedError(node, resource)
        return await self._with_content(node, resource, head)

    async def part(
        self, node: str, resource: Resource, listed: Listed, key: Hashable, make: MakePart
    ) -> tuple[Listed, int]:
        """Return a part of a list, or what was made of it, and how many rows there are of it in all.

        `make` gets the rows, which it must not change; it is called once for a content and a key.
        """
        kept = self._kept.get((node, resource))
        if kept is None or kept.content is not listed.content:
            kept = _Kept(listed.head.etag, listed.content)
        found = kept.parts.get(key)
        if found is None:
            if kept.parsed is None:
                kept.parsed = await _parse(kept.content)
            rows, total = make(kept.parsed)
            content = kept.content if rows is kept.parsed else _to_json(rows)
            found = content, content_tag(content), total
            if content is kept.content or len(content) < KEPT_PART_BYTES:
                if len(kept.parts) >= KEPT_PARTS:
                    kept.parts.pop(next(iter(kept.parts)))
                kept.parts[key] = found
        content, tag, total = found
        return Listed(replace(listed.head, etag=tag), content), total

    async def _with_content(self, node: str, resource: Resource, head: ReadHead) -> Listed:
        kept = self._kept.get((node, resource))
        if kept is not None and kept.etag == head.etag:
            return Listed(head, kept.content)
        entry = await self._read_model.get(node, resource)
        if entry is None:
            raise NotReportedError(node, resource)
        kept = self._kept[node, resource] = _Kept(entry.head.etag, entry.data.encode())
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
