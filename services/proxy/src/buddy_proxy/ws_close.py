"""How a WebSocket of ours is closed."""

from starlette.websockets import WebSocket, WebSocketState

# RFC 6455 section 7.4.1
NORMAL, GOING_AWAY, POLICY, TOO_BIG = 1000, 1001, 1008, 1009
_REASON_BYTES = 123  # what a close frame has room for


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close the socket with a reason of a length that fits; one that is closed already stays so."""
    states = (websocket.client_state, websocket.application_state)
    if WebSocketState.DISCONNECTED not in states:
        await websocket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))
