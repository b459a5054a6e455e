"""Heads from the read model: who asks while one is asked shares the next question to Redis."""

import asyncio
from collections import defaultdict

from buddy_common.adapters.read_model import ReadHead, ReadModel

_Key = tuple[str, str]


class SharedHeads:
    """The heads of resources, each as it was at some moment after it was asked for."""

    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model
        self._next: dict[_Key, asyncio.Task[ReadHead | None]] = {}
        self._turns: defaultdict[_Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, node: str, resource: str) -> ReadHead | None:
        """Return what the node said of a resource, None when it never did.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        key = (node, resource)
        if key not in self._next and not self._turns[key].locked():  # alone: a task would be half of the cost
            async with self._turns[key]:
                return await self._read_model.head(*key)
        if key not in self._next:
            self._next[key] = asyncio.create_task(self._ask(key))
        # the others still want the answer when one of them leaves
        return await asyncio.shield(self._next[key])

    async def _ask(self, key: _Key) -> ReadHead | None:
        async with self._turns[key]:
            del self._next[key]  # who comes from now on is too late for this one, and shares the next
            return await self._read_model.head(*key)
