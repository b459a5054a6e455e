"""The framing that all terminals share: resize frames and input from the client, bytes to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from buddy_common.errors import BuddyError, InvalidRequestError, TooManyTerminalsError
from buddy_common.settings import SocketSettings
from buddy_proxy.pty_process import Size
from buddy_proxy.ws_close import GOING_AWAY, NORMAL, POLICY, TOO_BIG, close

MAX_SIZE = 1000
# typed or pasted, and not taken yet
WAITING_FRAMES = 256


class Screen(Protocol):
    """What is at the other end of the terminal."""

    async def read(self) -> bytes:
        """Return what is to be shown, empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Take what was typed."""
        ...

    def resize(self, size: Size) -> None:
        """Take another size."""
        ...


class TerminalClosedError(BuddyError):
    """The terminal ends because of its client, with a code of WebSocket."""

    error = "terminal_closed"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class TerminalPlaces:
    """How many terminals there may be at a time."""

    settings: SocketSettings
    taken: int = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places.

        Raises:
            TooManyTerminalsError: all are taken.
        """
        if self.taken >= self.settings.terminals:
            raise TooManyTerminalsError(self.settings.terminals)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


async def serve_terminal(websocket: WebSocket, screen: Screen, settings: SocketSettings) -> None:
    """Pass everything on between an accepted socket and the screen, until either side ends it.

    Nothing piles up: the screen is read when the client has taken what was there, and a client that types
    faster than the screen takes it is closed.
    """
    typed: asyncio.Queue[bytes] = asyncio.Queue(WAITING_FRAMES)
    tasks = [
        asyncio.create_task(_show(websocket, screen)),
        asyncio.create_task(_listen(websocket, screen, typed, settings)),
        asyncio.create_task(_type(screen, typed)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except TerminalClosedError as exc:
        await close(websocket, exc.code, exc.message)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def say_goodbye(websocket: WebSocket, reason: str) -> None:
    """Close the socket because what was behind it has ended."""
    await close(websocket, NORMAL, reason)


def first_size(websocket: WebSocket) -> Size:
    """Return the size of `?cols=&rows=`, by default 80 by 24.

    Raises:
        InvalidRequestError: it is none.
    """
    asked = {name: websocket.query_params.get(name) for name in ("cols", "rows")}
    try:
        size = _size({name: int(value) for name, value in asked.items() if value is not None})
    except ValueError:
        size = None
    if size is None:
        raise InvalidRequestError(f"`cols` and `rows` are numbers from 1 to {MAX_SIZE}.")
    return size


async def _show(websocket: WebSocket, screen: Screen) -> None:
    while data := await screen.read():
        await websocket.send_bytes(data)


async def _type(screen: Screen, typed: "asyncio.Queue[bytes]") -> None:
    while True:
        await screen.write(await typed.get())


async def _listen(
    websocket: WebSocket, screen: Screen, typed: "asyncio.Queue[bytes]", settings: SocketSettings
) -> None:
    async for frame in _frames(websocket, settings):
        if isinstance(frame, Size):
            screen.resize(frame)
            continue
        try:
            typed.put_nowait(frame)
        except asyncio.QueueFull:
            raise TerminalClosedError(POLICY, "More was typed than the program takes.") from None


async def _frames(websocket: WebSocket, settings: SocketSettings) -> AsyncIterator[bytes | Size]:
    while True:
        try:
            async with asyncio.timeout(settings.terminal_idle_seconds):
                message = await websocket.receive()
        except TimeoutError:
            raise TerminalClosedError(
                GOING_AWAY, f"Nothing was typed for {settings.terminal_idle_seconds:.0f} s."
            ) from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", GOING_AWAY), message.get("reason"))
        text: str | None = message.get("text")
        data: bytes = text.encode(errors="replace") if text is not None else message["bytes"]
        if len(data) > settings.terminal_frame_bytes:
            raise TerminalClosedError(TOO_BIG, f"A frame has at most {settings.terminal_frame_bytes} bytes.")
        yield data if text is None else _resize(text) or data


def _resize(text: str) -> Size | None:
    """Return the size, if the frame is about that; anything else was typed."""
    if not text.startswith("{"):
        return None
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    return _size(frame) if isinstance(frame, dict) and frame.get("type") == "resize" else None


def _size(asked: dict[str, Any]) -> Size | None:
    size = Size(columns=asked.get("cols", Size.columns), rows=asked.get("rows", Size.rows))
    numbers = (size.columns, size.rows)
    return size if all(type(number) is int and 1 <= number <= MAX_SIZE for number in numbers) else None
