"""Brings the record from the disk into the database: in order, each line once, however often it is tried."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from buddy_common.adapters.secret_file import append_private
from buddy_common.db import heal_events, health_checks
from buddy_common.db.engine import Database
from buddy_common.schemas.healing import HealEvent, HealthCheck
from buddy_watchdog.segments import Segments

log = structlog.get_logger(__name__)

BATCH = 200

_Kind = TypeVar("_Kind", bound=BaseModel)


class Replay:
    """Reads on where it was the last time; every call touches the disk and the database."""

    def __init__(self, folder: Path, database: Database, *, events: Segments, checks: Segments) -> None:
        self._refused = folder / "refused.jsonl"
        self._database = database
        self._events = events
        self._checks = checks

    def bring_some(self) -> bool:
        """Bring a batch of events and one of checks; return whether there may be more.

        Raises:
            DatabaseUnavailableError: the database is gone, or has no schema yet; nothing is lost.
            OSError: the disk cannot be read or written; nothing is lost.
        """
        events = self._bring(self._events, HealEvent, heal_events.add)
        checks = self._bring(self._checks, HealthCheck, health_checks.add)
        return events or checks

    def _bring(
        self, segments: Segments, kind: type[_Kind], add: Callable[[Session, Sequence[_Kind]], None]
    ) -> bool:
        before = segments.load_position()
        lines, position = segments.read(before, limit=BATCH)
        rows = [(line, row) for line in lines if (row := self._parsed(line, kind)) is not None]
        try:
            if rows:
                self._database.call(lambda session: add(session, [row for _, row in rows]))
        except SQLAlchemyError:  # it does not take one of them, so each is tried alone
            for line, row in rows:
                self._bring_alone(line, row, add)
        if position != before:
            segments.save_position(position)
        return len(lines) == BATCH

    def _parsed(self, line: str, kind: type[_Kind]) -> _Kind | None:
        try:
            # PostgreSQL takes no NUL in a text
            return kind.model_validate_json(line.replace("\\u0000", ""))
        except ValidationError as exc:
            self._refuse(line, reason=f"{exc.error_count()} errors")
        return None

    def _bring_alone(self, line: str, row: _Kind, add: Callable[[Session, Sequence[_Kind]], None]) -> None:
        try:
            self._database.call(lambda session: add(session, [row]))
        except SQLAlchemyError as exc:
            self._refuse(line, reason=type(exc).__name__)

    def _refuse(self, line: str, *, reason: str) -> None:
        """Keep a line that no database of this version takes; those behind it must not wait for it."""
        log.error("record_line_refused", reason=reason, kept=self._refused.name)
        with append_private(self._refused) as file:
            file.write(f"{line}\n".encode())
