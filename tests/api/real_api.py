"""A real api process on a free port."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from api.conftest import TOKEN
from eventually import eventually
from fakes.ports import free_port


class ApiProcess:
    """The process, and a client with the token."""

    def __init__(self, process: "subprocess.Popen[bytes]", client: httpx.AsyncClient) -> None:
        self.process = process
        self.client = client

    async def ended(self, *, seconds: float = 5) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.to_thread(self.process.wait, seconds)


@contextlib.asynccontextmanager
async def real_api(
    home: Path, *, redis_url: str, database_url: str, arguments: tuple[str, ...] = ("-m", "buddy_api")
) -> AsyncIterator[ApiProcess]:
    """Run one until the block ends; by itself, or killed then."""
    port = free_port()
    environment = os.environ | {
        "BUDDY_HOME": str(home),
        "BUDDY_TOKEN": TOKEN,
        "BUDDY_REDIS_URL": redis_url,
        "BUDDY_DATABASE_URL": database_url,
        "BUDDY_WEB_PORT": str(port),
    }
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}
        ) as client:
            api = ApiProcess(process, client)
            await eventually(lambda: _answers(api), bool, seconds=20)
            yield api
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, 10)


async def _answers(api: ApiProcess) -> bool:
    assert api.process.poll() is None, "the api did not start"
    try:
        return (await api.client.get("/health")).status_code == 200
    except httpx.TransportError:
        return False
