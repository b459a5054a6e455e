"""`/v1/ws/logs`: the last lines of a log, then every new one."""

import asyncio
import re
from enum import StrEnum

from starlette.websockets import WebSocket

from buddy_common.errors import InvalidRequestError
from buddy_common.ports import Caller
from buddy_proxy.log_feed import LogFeed, Reader
from buddy_proxy.log_text import history_frame
from buddy_proxy.ws_close import GOING_AWAY, close

MAX_HISTORY = 5000
DEFAULT_HISTORY = 500


class Source(StrEnum):
    """Whose log it is."""

    GATEWAY = "gateway"
    BUDDY = "buddy"


class LogRoom:
    """Streams a log to one reader; what the reader sends is not looked at."""

    def __init__(self, feeds: dict[Source, LogFeed]) -> None:
        self._feeds = feeds

    async def close(self) -> None:
        """End all readers and let go of the files."""
        for feed in self._feeds.values():
            await feed.close()

    async def enter(self, websocket: WebSocket, caller: Caller) -> None:
        """Serve one reader until either side ends it.

        Raises:
            InvalidRequestError: `source` or `history_lines` is none.
        """
        feed, count = self._feeds[_source(websocket)], _history_lines(websocket)
        await websocket.accept()
        async with feed.reader(count) as (history, reader):
            await websocket.send_text(history_frame(history))
            del history
            tasks = (
                asyncio.create_task(_send(websocket, reader)),
                asyncio.create_task(_wait_for_end(websocket)),
            )
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await close(websocket, GOING_AWAY, "The log stream has ended. Connect again.")


async def _send(websocket: WebSocket, reader: Reader) -> None:
    while (frame := await reader.get()) is not None:
        await websocket.send_text(frame)


async def _wait_for_end(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _source(websocket: WebSocket) -> Source:
    named = websocket.query_params.get("source", Source.GATEWAY)
    try:
        return Source(named)
    except ValueError:
        raise InvalidRequestError("`source` is `gateway` or `buddy`.") from None


def _history_lines(websocket: WebSocket) -> int:
    named = websocket.query_params.get("history_lines", str(DEFAULT_HISTORY))
    if not re.fullmatch(r"[0-9]{1,4}", named) or int(named) > MAX_HISTORY:
        raise InvalidRequestError(f"`history_lines` is a number from 0 to {MAX_HISTORY}.")
    return int(named)
