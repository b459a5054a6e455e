"""The file that the gateway writes its output to. What it says there may be private: mode 0600."""

from pathlib import Path
from typing import BinaryIO

from buddy_common.adapters.secret_file import append_private
from buddy_common.adapters.terminal_text import plain_lines

ROTATE_BYTES = 10 * 1024 * 1024
READ_BYTES = 256 * 1024


class GatewayLog:
    """Appended to by the gateway itself, read by whoever follows a start."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open_for_append(self) -> BinaryIO:
        """Return the file for a new gateway; a large one is put aside first, one older is kept.

        The gateway holds its log open, so the file can only change hands at a start.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self.end() > ROTATE_BYTES:
            self._path.replace(self._path.with_suffix(".1.log"))
        return append_private(self._path)

    def end(self) -> int:
        """Return where the file ends now, in bytes."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
        try:
            with self._path.open("rb") as log:
                if log.seek(0, 2) < position:  # rotated meanwhile
                    position = 0
                log.seek(position)
                data = log.read(READ_BYTES)
        except FileNotFoundError:
            return [], 0
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == READ_BYTES:  # a line longer than that is given out in parts
            end = len(data)
        return plain_lines(data[:end].decode(errors="replace")), position + end
