"""Reading a stream of server-sent events, byte by byte as the specification says."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

SECONDS = 5


@dataclass(frozen=True)
class Event:
    """One event, or with `comment` a sign of life."""

    name: str | None = None
    data: Any = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None


class EventReader:
    """The events of one answer, each within a bound."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._events = _events(response.aiter_bytes())

    async def next(self) -> Event:
        async with asyncio.timeout(SECONDS):
            return await anext(self._events)

    async def until(self, name: str) -> list[Event]:
        """Return all events up to the first of this name, which is the last of the list."""
        found = [await self.next()]
        while found[-1].name != name:
            found.append(await self.next())
        return found

    async def rest(self) -> list[Event]:
        """Return all events up to the end of the stream, which must come."""
        async with asyncio.timeout(SECONDS):
            return [event async for event in self._events]


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    buffer = b""
    async for chunk in chunks:
        buffer += chunk
        *blocks, buffer = buffer.split(b"\n\n")
        for block in blocks:
            yield _parse(block.decode())
    assert buffer == b"", "the stream was cut off inside of an event"


def _parse(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    comments = [line for line in block.split("\n") if line.startswith(":")]
    return Event(
        name=fields.get("event"),
        data=json.loads(fields["data"]) if "data" in fields else None,
        id=fields.get("id"),
        retry=int(fields["retry"]) if "retry" in fields else None,
        comment=comments[0] if comments else None,
    )
