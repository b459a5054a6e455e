"""The panel's handshake with the gateway, signed anew: its signature covers the token, which it has not.

Whoever signs in here is let in by the gateway's token and by a device key of Buddy's own; the browser gets
to see neither. Source: OpenClaw's docs/gateway/protocol/handshake.md.
"""

import json
from typing import Any

from buddy_common.adapters.gateway_device import GatewayDevice

# the gateway takes no longer frames before it has let somebody in
MAX_HANDSHAKE_BYTES = 64 * 1024
_SECRETS = ("deviceToken", "deviceTokens", "token", "bootstrapToken")


class Handshake:
    """Both sides of one handshake; `is_over` once everything may pass unread."""

    def __init__(self, device: GatewayDevice, token: str | None) -> None:
        self._device = device
        self._token = token
        self._challenge: dict[str, Any] | None = None
        self.is_over = False

    def from_gateway(self, frame: str) -> str:
        """Return a frame of the gateway for the browser: without tokens."""
        message = _object(frame)
        if self._challenge is None and message.get("event") == "connect.challenge":
            payload = message.get("payload")
            self._challenge = payload if isinstance(payload, dict) else {}
            return frame
        if message.get("type") != "res":
            return frame
        self.is_over = message.get("ok") is True  # before it, the gateway answers nothing but `connect`
        payload = message.get("payload")
        auth = payload.get("auth") if isinstance(payload, dict) else None
        if not isinstance(auth, dict):
            return frame
        for name in _SECRETS:
            auth.pop(name, None)
        return json.dumps(message, ensure_ascii=False)

    def from_browser(self, frame: str) -> str:
        """Return a frame of the browser for the gateway: with its token, and signed for it."""
        message = _object(frame)
        params = message.get("params")
        if message.get("method") != "connect" or not isinstance(params, dict):
            return frame
        client = params.get("client")
        client = client if isinstance(client, dict) else {}
        scopes = params.get("scopes")
        challenge = self._challenge or {}
        params["auth"] = {} if self._token is None else {"token": self._token}
        params["device"] = self._device.sign(
            nonce=str(challenge.get("nonce", "")),
            signed_at=_number(challenge.get("ts")),
            token=self._token or "",
            scopes=[str(scope) for scope in scopes] if isinstance(scopes, list) else [],
            client_id=str(client.get("id", "")),
            client_mode=str(client.get("mode", "")),
            role=str(params.get("role", "")),
        )
        return json.dumps(message, ensure_ascii=False)


def _object(frame: str) -> dict[str, Any]:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0
