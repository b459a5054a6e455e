"""Buddy's own device key, by which a gateway knows it again.

The older generation drops every scope of a client that signs with no device, and pairs a new one silently on
loopback, once, with the scopes that it asks for then. One key per node, therefore, kept for good.
Source: OpenClaw's docs/gateway/protocol/handshake.md; the signed text is its version 2, which both
generations take.
"""

import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from buddy_common.adapters.secret_file import create_whole
from buddy_common.errors import StateUnwritableError

CLIENT_ID, CLIENT_MODE, ROLE = "gateway-client", "backend", "operator"


@dataclass(frozen=True)
class GatewayDevice:
    """An Ed25519 key (RFC 8032); its id is the SHA-256 of the public half."""

    key: Ed25519PrivateKey

    def sign(
        self,
        *,
        nonce: str,
        signed_at: int,
        token: str,
        scopes: Sequence[str],
        client_id: str = CLIENT_ID,
        client_mode: str = CLIENT_MODE,
        role: str = ROLE,
    ) -> dict[str, object]:
        """Return the `device` of a connect request; `signed_at` is the challenge's time, Unix ms."""
        public = self.key.public_key().public_bytes_raw()
        name = hashlib.sha256(public).hexdigest()
        text = "|".join(
            ("v2", name, client_id, client_mode, role, ",".join(scopes), str(signed_at), token, nonce)
        )
        return {
            "id": name,
            "publicKey": _base64url(public),
            "signature": _base64url(self.key.sign(text.encode())),
            "signedAt": signed_at,
            "nonce": nonce,
        }


def load_device(file: Path) -> GatewayDevice:
    """Return the key in `file`; a missing file is made with a new one, mode 0600.

    Raises:
        StateUnwritableError: it can be neither read nor made, or holds no key.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            create_whole(file, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")
        return GatewayDevice(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text().strip())))
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        raise StateUnwritableError(
            f"{file}, the key that a gateway knows Buddy by, is unusable: {exc}."
        ) from exc


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
