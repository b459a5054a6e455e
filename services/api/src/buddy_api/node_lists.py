"""What a route gets that mirrors OpenClaw: the lists of the node that is meant, and what the client knows."""

from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from buddy_api.deps import IfNoneMatch, NodeHeader, NodeQuery, SignedIn, resolve_node, wiring_of
from buddy_api.etags import matches
from buddy_api.mirrored import Beginning, Listed, Lists, MakePart
from buddy_api.ready_gzip import WORTH_BYTES, accepts_gzip
from buddy_common.schemas.resources import Resource


@dataclass(frozen=True)
class NodeLists:
    """The lists of one node, for one request."""

    node: str
    lists: Lists
    refresh: bool
    known: str | None
    accept_encoding: str

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

    async def nested(self, listed: Listed, **also: Any) -> Response:
        """Answer with the content under `data.data`."""
        return await self._answer(listed, listed.nested(), also)

    async def flat(self, listed: Listed) -> Response:
        """Answer with the content's own fields under `data`."""
        return await self._answer(listed, listed.flat(), {})

    async def _answer(self, listed: Listed, beginning: Beginning, also: dict[str, Any]) -> Response:
        headers = {"ETag": listed.tag}
        worth_packing = beginning.size >= WORTH_BYTES
        if worth_packing:
            headers["Vary"] = "Accept-Encoding"
        if matches(self.known, listed.tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if worth_packing and accepts_gzip(self.accept_encoding):
            packed = await beginning.gzip.packed(*beginning.pieces)
            body, headers["Content-Encoding"] = packed.with_end(listed.end(**also)), "gzip"
        else:
            body = b"".join((*beginning.pieces, listed.end(**also)))
        return Response(body, media_type="application/json", headers=headers)


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
        w, accepted = wiring_of(request), ",".join(request.headers.getlist("accept-encoding"))
        await w.authenticator.authenticate(request)
        return NodeLists(await resolve_node(w, query or header), w.lists, refresh, known, accepted)


Mirror = Annotated[NodeLists, Depends(_ListsForCaller())]
