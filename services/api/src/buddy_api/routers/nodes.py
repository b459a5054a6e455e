"""The nodes: hosts with a gateway and a host plane each."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from buddy_api.deps import Caller, Wired, default_node
from buddy_api.envelope import Envelope, ok, problems
from buddy_common.db import nodes
from buddy_common.errors import (
    BrokerUnavailableError,
    DatabaseUnavailableError,
    NotAuthenticatedError,
)

router = APIRouter(tags=["nodes"])


class NodeView(BaseModel):
    """A node and its living workers."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "local",
                "hostname": "vps-1",
                "online": True,
                "isDefault": True,
                "workers": {"fast": 1, "slow": 1},
                "proxyUrl": None,
                "registeredAt": "2026-03-28T10:00:00Z",
                "lastSeenAt": "2026-03-28T10:05:00Z",
            }
        }
    )

    name: str
    hostname: str
    online: bool
    isDefault: bool  # noqa: N815 - the guide's style
    workers: dict[str, int]
    proxyUrl: str | None  # noqa: N815 - the guide's style
    registeredAt: datetime  # noqa: N815 - the guide's style
    lastSeenAt: datetime  # noqa: N815 - the guide's style


@router.get(
    "/v1/nodes",
    responses=problems(NotAuthenticatedError, BrokerUnavailableError, DatabaseUnavailableError),
)
async def list_nodes(_caller: Caller, w: Wired) -> Envelope[list[NodeView]]:
    """List all nodes that have ever registered."""
    rows = await w.database.run(nodes.listing)
    workers: dict[str, dict[str, int]] = {}
    for worker in await w.presence.listing():
        lanes = workers.setdefault(worker.node, {})
        lanes[worker.lane] = lanes.get(worker.lane, 0) + 1
    default = default_node(w.config.web, [row.name for row in rows])
    return ok(
        [
            NodeView(
                name=row.name,
                hostname=row.hostname,
                online=bool(workers.get(row.name)),
                isDefault=row.name == default,
                workers=workers.get(row.name, {}),
                proxyUrl=row.proxy_url,
                registeredAt=row.registered_at,
                lastSeenAt=row.last_seen_at,
            )
            for row in rows
        ]
    )
