"""Small files of our own in JSON, replaced whole: one that is damaged is put aside, never written over."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.errors import StateUnwritableError

log = structlog.get_logger(__name__)

_Value = TypeVar("_Value")


class OwnRecord(Generic[_Value]):
    """One file, mode 0600, that holds one value; several processes may use it. Calls touch the disk."""

    def __init__(self, path: Path, kind: TypeAdapter[_Value]) -> None:
        self.path = path
        self._kind = kind

    def read(self) -> _Value | None:
        """Return the value, None where there is none that can be read."""
        try:
            return self.read_to_change()
        except StateUnwritableError as exc:
            log.warning("record_unreadable", file=self.path.name, reason=exc.message)
        return None

    def read_to_change(self) -> _Value | None:
        """Return the value, None where there is none: then a new one may be written.

        Raises:
            StateUnwritableError: it is there, cannot be read now, and must not be written over.
        """
        try:
            return self._kind.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StateUnwritableError(f"{self.path} cannot be read: {exc.strerror}.") from exc
        except ValidationError:
            self._put_aside()
        return None

    def write(self, value: _Value) -> None:
        """Replace the value.

        Raises:
            StateUnwritableError: the disk is full, or the folder cannot be written; the old value is there.
        """
        try:
            replace_file(self.path, self._kind.dump_json(value))
        except OSError as exc:
            raise StateUnwritableError(f"{self.path} cannot be written: {exc.strerror}.") from exc

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from changing it between a read and a write.

        Raises:
            StateUnwritableError: the folder cannot be written.
        """
        lock = self.path.with_suffix(".lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StateUnwritableError(f"{lock} cannot be opened: {exc.strerror}.") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _put_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        try:
            self.path.rename(aside)
        except OSError as exc:
            raise StateUnwritableError(
                f"{self.path} is damaged and cannot be moved: {exc.strerror}."
            ) from exc
        log.warning("record_damaged", file=self.path.name, kept=aside.name)
