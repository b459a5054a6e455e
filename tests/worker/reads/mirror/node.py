"""A node with a reader on a real broker, whose gateway speaks the real protocol."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.read_model import ReadHead
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import GatewayUnreachableError
from buddy_common.schemas.resources import MIRRORED, Resource
from buddy_worker.reads.mirror import Mirror
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.gateway import TOKEN, FakeGateway

SECONDS = 20


class Node:
    """A node with a reader, seen through its read model."""

    def __init__(self, w: Wiring, gateway: FakeGateway) -> None:
        self.w = w
        self.requests = RefreshRequests(w.redis)
        self._gateway = gateway
        self._mirrors: list[asyncio.Task[None]] = []

    def start(self) -> Mirror:
        mirror = Mirror(self.w)
        mirror._link._where = self._where  # the fake gateway is no process of its own
        self._mirrors.append(asyncio.create_task(mirror.run_forever()))
        return mirror

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        file = self.w.host.device_file
        if self._gateway._server is None:
            raise GatewayUnreachableError("No gateway listens on its port.")
        return self._gateway.port, TOKEN, await asyncio.to_thread(load_device, file)

    async def end(self) -> None:
        for task in self._mirrors:
            task.cancel()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*self._mirrors, return_exceptions=True)
        self._mirrors = []

    async def head(self, resource: Resource) -> ReadHead | None:
        return await self.w.host.read_model.head(self.w.node, resource)

    async def until(self, resource: Resource, good: Callable[[ReadHead], bool]) -> ReadHead:
        found = await eventually(
            lambda: self.head(resource), lambda head: head is not None and good(head), seconds=SECONDS
        )
        assert found is not None
        return found

    async def until_fresh(self) -> None:
        for resource in (*MIRRORED, Resource.CAPABILITIES):
            await self.until(resource, lambda head: not head.stale)

    async def data(self, resource: Resource) -> Any:
        entry = await self.w.host.read_model.get(self.w.node, resource)
        return None if entry is None else json.loads(entry.data)


def agents(*names: str) -> dict[str, Any]:
    return {"defaultId": "main", "agents": [{"id": name, "workspace": f"/w/{name}"} for name in names]}


async def edit(node: Node, **changes: Any) -> None:
    file = node.w.host.gateway_settings.config_file
    config = json.loads(await asyncio.to_thread(file.read_text))
    await asyncio.to_thread(file.write_text, json.dumps(config | changes))
