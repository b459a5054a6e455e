"""A person at a terminal of ours: types, and looks at what a real terminal would show."""

import json
import time
from contextlib import ExitStack
from typing import Any, Self

import pyte
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

COLUMNS, ROWS = 120, 40


class Screen:
    """A WebSocket to a terminal, drawn."""

    def __init__(self, url: str, token: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._stack = ExitStack()
        self._opening = connect(
            f"{url.replace('http', 'ws', 1)}?cols={COLUMNS}&rows={ROWS}",
            additional_headers={"Authorization": f"Bearer {token}"},
            proxy=None,
            max_size=None,
            open_timeout=60,
        )
        self.closed: ConnectionClosed | None = None

    def __enter__(self) -> Self:
        self.socket: ClientConnection = self._stack.enter_context(self._opening)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self._screen.display).strip()

    def type(self, text: str) -> None:
        """Press keys."""
        self.socket.send(text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the window."""
        self._screen.resize(rows, columns)
        self.send_json({"type": "resize", "cols": columns, "rows": rows})

    def send_json(self, frame: dict[str, Any]) -> None:
        """Send a frame of text."""
        self.socket.send(json.dumps(frame))

    def until(self, text: str, *, seconds: float) -> None:
        """Look until the text is on the screen.

        Raises:
            AssertionError: it did not come; the message has the screen.
        """
        deadline = time.monotonic() + seconds
        while text not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} on the screen:\n{self.text}"
            self._take(left)

    def until_closed(self, *, seconds: float) -> ConnectionClosed:
        """Look until the other side has closed the socket."""
        deadline = time.monotonic() + seconds
        while self.closed is None:
            left = deadline - time.monotonic()
            assert left > 0, f"it is still open:\n{self.text}"
            try:
                self._take(left)
            except AssertionError:
                break
        assert self.closed is not None
        return self.closed

    def _take(self, seconds: float) -> None:
        try:
            data = self.socket.recv(timeout=seconds)
        except TimeoutError:
            return
        except ConnectionClosed as exc:
            self.closed = exc
            raise AssertionError(f"it was closed ({exc}):\n{self.text}") from exc
        assert isinstance(data, bytes)
        self._stream.feed(data)
