"""The worker's part of a WeChat login, and who asks for it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from api.acting import claim, messages
from api.changing import task_ids
from api.conftest import Api, Served
from api.sse import Event, EventReader
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.wechat import LoginState, LoginView
from eventually import eventually

PATH = "/v1/wechat/qrcode"
ADDRESS = "https://liteapp.weixin.qq.com/q/mock?qrcode=mockqr1&bot_type=3"
EXPIRES_AT = 4_102_444_800.0  # after all tests
SLOW = "node.local.slow"


async def report(api: Api, **changes: Any) -> None:
    status = {
        "installed": True, "enabled": True, "configured": False, "pluginVersion": "2.4.9", "accounts": [],
    } | changes  # fmt: skip
    await api.wiring.read_model.put(
        "local", Resource.WECHAT, json.dumps(status), source="rpc", fresh_seconds=60
    )


async def say(api: Api, task_id: str, state: LoginState, **more: Any) -> None:
    """Say what the worker's login says."""
    view = LoginView(task_id=task_id, state=state, at=time.time(), **more)
    await api.wiring.wechat_logins.publish("local", view)


async def show_code(api: Api, task_id: str, number: int = 1, *, expires_at: float = EXPIRES_AT) -> None:
    await say(
        api,
        task_id,
        LoginState.WAITING_SCAN,
        qrcode_url=ADDRESS.replace("mockqr1", f"mockqr{number}"),
        qrcode_png="data:image/png;base64,AAAA",
        expires_at=expires_at,
        number=number,
    )


async def only_task(api: Api) -> str:
    (task_id,) = await eventually(lambda: task_ids(api), bool)
    await eventually(lambda: messages(api, SLOW), bool)
    return task_id


async def begun(api: Api) -> str:
    """Return the login's task once a worker has claimed it."""
    task_id = await only_task(api)
    await claim(api, task_id)
    return task_id


@asynccontextmanager
async def asking(api: Api, **more: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    asking = asyncio.create_task(api.client.get(PATH, **more))
    try:
        yield asking
    finally:
        asking.cancel()


@asynccontextmanager
async def listening(served: Served, **more: Any) -> AsyncIterator[EventReader]:
    headers = {"Accept": "text/event-stream", **more.pop("headers", {})}
    async with served.client.stream("GET", PATH, headers=headers, **more) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventReader(response)


def told(events: list[Event]) -> list[tuple[str | None, Any]]:
    return [(event.name, event.data["state"]) for event in events if event.comment is None]
