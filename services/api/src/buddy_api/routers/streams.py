"""What streams goes through the proxy of its node. Whatever of it reaches the api is told where that is."""

from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse

from buddy_api.deps import Node, Wired, resolve_node
from buddy_api.envelope import problem_body
from buddy_common.db import nodes
from buddy_common.errors import BuddyError, NoProxyError

router = APIRouter(tags=["streams"], include_in_schema=False)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@router.api_route("/v1/openclaw/chat/completions", methods=["POST"])
async def chat_elsewhere(request: Request, node: Node, w: Wired) -> Response:
    """Lead to the node's proxy; without one, fail in the shape that clients of OpenAI read."""
    try:
        return await _lead(request, node, w.database)
    except NoProxyError as exc:
        error = {"message": exc.message, "type": "server_error", "param": None, "code": exc.error}
        return JSONResponse({"error": error}, status_code=exc.status)


@router.api_route("/v1/proxy", methods=_METHODS)
@router.api_route("/v1/proxy/{path:path}", methods=_METHODS)
async def panel_elsewhere(request: Request, node: Node, w: Wired) -> Response:
    """Lead to the node's proxy."""
    return await _lead(request, node, w.database)


@router.websocket("/v1/proxy")
@router.websocket("/v1/ws/{name}")
async def socket_elsewhere(socket: WebSocket) -> None:
    """Refuse an upgrade, for no client follows a redirect of one; the message says where to go."""
    w: Any = socket.app.state.wiring
    try:
        await w.authenticator.authenticate(socket)
        node = await resolve_node(w, socket.query_params.get("node") or socket.headers.get("x-buddy-node"))
        url = await w.database.run(lambda session: nodes.proxy_url(session, node))
        problem: BuddyError = NoProxyError(node)
        if url is not None:
            problem.message = f"Open this WebSocket at {url}."
    except BuddyError as exc:
        problem = exc
    await socket.send_denial_response(JSONResponse(problem_body(problem), status_code=problem.status))


async def _lead(request: Request, node: str, database: Any) -> Response:
    """Return a redirect to the same path there.

    Raises:
        NoProxyError: the node has no proxy.
    """
    url = await database.run(lambda session: nodes.proxy_url(session, node))
    if url is None:
        raise NoProxyError(node)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{url}{request.url.path}{query}", status_code=307)
