"""The watchdog's health route; the watching itself lives as long as the app does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from buddy_watchdog.runner import Runner


def create_app(runner: Runner) -> Starlette:
    """Return the app; `/health` is 503 when the runner has not looked for too long."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(runner.run_forever())
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
