"""Sessions and tickets, stored as hashes only. Nothing here commits."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete
from sqlalchemy.engine import CursorResult
from sqlmodel import Session, col, select

from buddy_common.db.tables import AccessGrantRow


class GrantKind(StrEnum):
    """A session lasts days, a ticket a minute and one use."""

    SESSION = "session"
    TICKET = "ticket"


def issue(session: Session, kind: GrantKind, *, key: bytes, lifetime: timedelta, address: str | None) -> str:
    """Create a grant and return its secret, which is stored nowhere; it dies with `key`, the token."""
    now = datetime.now(UTC)
    session.execute(delete(AccessGrantRow).where(col(AccessGrantRow.expires_at) <= now))
    secret = secrets.token_urlsafe(32)
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


def session_is_valid(session: Session, secret: str, *, key: bytes) -> bool:
    """Whether the session exists and has not expired."""
    row = session.exec(
        select(AccessGrantRow.secret_hash).where(
            AccessGrantRow.secret_hash == _hash(secret, key),
            AccessGrantRow.kind == GrantKind.SESSION,
            AccessGrantRow.expires_at > datetime.now(UTC),
        )
    ).first()
    return row is not None


def redeem_ticket(session: Session, secret: str, *, key: bytes) -> bool:
    """Use a ticket up; True once only, however many ask at once."""
    return _delete(session, secret, key, GrantKind.TICKET)


def end_session(session: Session, secret: str, *, key: bytes) -> bool:
    """Forget a session; False when there was none."""
    return _delete(session, secret, key, GrantKind.SESSION)


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
