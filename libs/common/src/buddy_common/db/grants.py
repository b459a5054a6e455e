"""Sessions and tickets, stored as hashes only. Nothing here commits."""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete
from sqlalchemy.engine import CursorResult
from sqlmodel import Session, col, select

from buddy_common.db.tables import AccessGrantRow

_SECRET_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # so many bytes in base64


class GrantKind(StrEnum):
    """A session lasts days, a ticket a minute and one use."""

    SESSION = "session"
    TICKET = "ticket"


def issue(session: Session, kind: GrantKind, *, key: bytes, lifetime: timedelta, address: str | None) -> str:
    """Create a grant and return its secret, which is stored nowhere; it dies with `key`, the token."""
    now = datetime.now(UTC)
    session.execute(delete(AccessGrantRow).where(col(AccessGrantRow.expires_at) <= now))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    session.add(
        AccessGrantRow(
            secret_hash=_hash(secret, key),
            kind=kind,
            address=address,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return secret


def may_be_secret(text: str) -> bool:
    """Whether it looks like what `issue` returns; what does not need not be looked up."""
    return _SECRET.fullmatch(text) is not None


def session_is_valid(session: Session, secret: str, *, key: bytes) -> bool:
    """Whether the session exists and has not expired."""
    return _exists(session, secret, key, GrantKind.SESSION)


def redeem_ticket(session: Session, secret: str, *, key: bytes) -> bool:
    """Use a ticket up; True once only, however many ask at once."""
    # a look first: anybody may send any ticket, and a DELETE takes SQLite's lock though it finds nothing
    return _exists(session, secret, key, GrantKind.TICKET) and _delete(session, secret, key, GrantKind.TICKET)


def end_session(session: Session, secret: str, *, key: bytes) -> bool:
    """Forget a session; False when there was none."""
    return _delete(session, secret, key, GrantKind.SESSION)


def _exists(session: Session, secret: str, key: bytes, kind: GrantKind) -> bool:
    row = session.exec(
        select(AccessGrantRow.secret_hash).where(
            AccessGrantRow.secret_hash == _hash(secret, key),
            AccessGrantRow.kind == kind,
            AccessGrantRow.expires_at > datetime.now(UTC),
        )
    ).first()
    return row is not None


def _delete(session: Session, secret: str, key: bytes, kind: GrantKind) -> bool:
    result = session.execute(
        delete(AccessGrantRow).where(
            col(AccessGrantRow.secret_hash) == _hash(secret, key),
            col(AccessGrantRow.kind) == kind,
            col(AccessGrantRow.expires_at) > datetime.now(UTC),
        )
    )
    return isinstance(result, CursorResult) and result.rowcount == 1


def _hash(secret: str, key: bytes) -> str:
    return hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()
