"""What streams goes through the proxy of its node. Whatever of it reaches the api is told where that is."""

from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse

from buddy_api.chat_schemas import EVENTS, ChatCompletion, ChatRequest, chat_problems, reference_to
from buddy_api.deps import Node, Wired, operator, resolve_node
from buddy_api.envelope import problem_body
from buddy_common.db import nodes
from buddy_common.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    BuddyError,
    ChatDisabledError,
    ClientTooSlowError,
    CrossOriginError,
    DatabaseUnavailableError,
    GatewayAnswerError,
    GatewayRefusedError,
    GatewaySilentError,
    GatewayUnreachableError,
    InvalidRequestError,
    NoNodeError,
    NoProxyError,
    NoSuchAgentError,
    NotAuthenticatedError,
    ShuttingDownError,
    TooManyAttemptsError,
    TooManyConnectionsError,
    UnknownNodeError,
)
from buddy_common.openai_error import openai_error

router = APIRouter()
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# what the proxy refuses by itself, and what the gateway may say, which has statuses of the same kind
_CHAT_ERRORS = (
    InvalidRequestError,
    NotAuthenticatedError,
    CrossOriginError,
    ChatDisabledError,
    NoSuchAgentError,
    UnknownNodeError,
    BodyTooSlowError,
    ClientTooSlowError,
    BodyTooLargeError,
    TooManyAttemptsError,
    TooManyConnectionsError,
    BuddyError,
    NoProxyError,
    GatewayUnreachableError,
    GatewayRefusedError,
    GatewayAnswerError,
    DatabaseUnavailableError,
    NoNodeError,
    ShuttingDownError,
    GatewaySilentError,
)
_NODE = [
    {"name": "node", "in": "query", "schema": {"type": "string"}, "description": "The node that is meant"},
    {"name": "X-Buddy-Node", "in": "header", "schema": {"type": "string"}},
]


@router.post(
    "/v1/openclaw/chat/completions",
    summary="Chat",
    response_class=Response,
    tags=["chat"],
    responses={
        200: {
            "description": "What the bot says; events where `stream` is true",
            "content": {
                "application/json": {"schema": reference_to(ChatCompletion)},
                "text/event-stream": {"example": EVENTS},
            },
        },
        307: {"description": "The node's proxy is elsewhere: the same request there"},
        **chat_problems(*_CHAT_ERRORS),
    },
    # not parameters of the function: whoever asks in vain must read so in OpenAI's shape, and the body
    # is for the proxy
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": reference_to(ChatRequest)}},
        },
        "parameters": _NODE,
        "security": [{operator.scheme_name: []}],
    },
)
async def chat_elsewhere(request: Request, w: Wired) -> Response:
    """Chat with a bot through the gateway of its node, as OpenAI's clients do.

    The proxy of the node answers this and puts the gateway's token on. Failures have OpenAI's shape.
    """
    try:
        await operator(request)
        named = request.query_params.get("node") or request.headers.get("x-buddy-node")
        return await _lead(request, await resolve_node(w, named), w.database)
    except BuddyError as exc:
        return JSONResponse(openai_error(exc), status_code=exc.status, headers=exc.headers)


@router.api_route("/v1/proxy", methods=_METHODS, include_in_schema=False)
@router.api_route("/v1/proxy/{path:path}", methods=_METHODS, include_in_schema=False)
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
