"""What a route gets that mirrors OpenClaw: the lists of the node that is meant, and what the client knows."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from buddy_api.deps import IfNoneMatch, NodeHeader, NodeQuery, SignedIn, resolve_node, wiring_of
from buddy_api.etags import conditional
from buddy_api.mirrored import Listed, Lists, MakePart
from buddy_common.schemas.resources import Resource


@dataclass(frozen=True)
class NodeLists:
    """The lists of one node, for one request."""

    node: str
    lists: Lists
    refresh: bool
    known: str | None

    async def get(self, resource: Resource) -> Listed:
        """Return a resource as it was seen last, or from now on if the client asked for that.

        Raises:
            NotReportedError: the node has never published it.
            BrokerUnavailableError: the read model cannot be reached.
        """
        return await self.lists.get(self.node, resource, refresh=self.refresh)

    async def part(
        self, resource: Resource, listed: Listed, key: Hashable, make: MakePart
    ) -> tuple[Listed, int]:
        """Return a part of a list, as `make` takes it from the rows, and how many rows there are in all."""
        return await self.lists.part(self.node, resource, listed, key, make)

    def nested(self, listed: Listed, **also: Any) -> Response:
        """Answer with the content under `data.data`."""
        return conditional(listed.nested(**also), listed.tag, self.known)

    def flat(self, listed: Listed) -> Response:
        """Answer with the content's own fields under `data`."""
        return conditional(listed.flat(), listed.tag, self.known)


class _ListsForCaller(SignedIn):
    """One dependency instead of three: FastAPI's walk through each costs as much as asking Redis."""

    async def __call__(  # type: ignore[override]  # FastAPI reads the parameters from here
        self,
        request: Request,
        query: NodeQuery = None,
        header: NodeHeader = None,
        *,
        refresh: Annotated[
            bool, Query(description="Wait for what is true from now on, instead of what was seen last")
        ] = False,
        known: IfNoneMatch = None,
    ) -> NodeLists:
        """Return the lists of the node that is meant, to a caller who may see them."""
        w = wiring_of(request)
        await w.authenticator.authenticate(request)
        return NodeLists(await resolve_node(w, query or header), w.lists, refresh, known)


Mirror = Annotated[NodeLists, Depends(_ListsForCaller())]
