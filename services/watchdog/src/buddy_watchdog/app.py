"""The watchdog's health route; the watching itself lives as long as the app does."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from buddy_watchdog.runner import Runner

log = structlog.get_logger(__name__)


def _end_with(watching: asyncio.Task[None]) -> None:
    """End the process when the watching has ended by itself: whoever supervises us starts another."""
    if not watching.cancelled():
        log.critical("watching_ended", reason=repr(watching.exception()))
        signal.raise_signal(signal.SIGTERM)


def create_app(runner: Runner) -> Starlette:
    """Return the app; `/health` is 503 when the runner has not looked for too long."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(runner.run_forever())
        watching.add_done_callback(_end_with)
        yield
        watching.cancel()
        await asyncio.wait([watching])
        await runner.close()

    async def health(_request: Request) -> JSONResponse:
        code = 200 if runner.is_alive else 503
        status = "ok" if runner.is_alive else "stuck"
        message = "success" if runner.is_alive else "The watchdog has not looked for too long"
        body = {"code": code, "message": message, "data": {"status": status}}
        return JSONResponse(body, status_code=code)

    return Starlette(routes=[Route("/health", health)], lifespan=lifespan)
