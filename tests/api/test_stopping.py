"""A process that is told to stop does not wait for answers that could go on for long."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from api.real_api import ApiProcess, real_api
from api.sse import EventReader
from buddy_common.adapters.redis_client import open_redis
from buddy_common.db import nodes
from buddy_common.db.engine import Database
from buddy_common.stopping import Stopping
from eventually import eventually

GRACE_SECONDS = 5  # after which uvicorn cuts answers off


# on its own, and in one process with the proxy
@pytest.fixture(params=["buddy_api", "buddy_cli.edge"])
async def running(
    request: pytest.FixtureRequest, redis_url: str, database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[ApiProcess]:
    await database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    async with real_api(
        tmp_path, redis_url=redis_url, database_url=database_url, arguments=("-m", request.param)
    ) as api:
        yield api


async def submit(api: ApiProcess) -> str:
    answer = await api.client.post("/v1/gateway/restart")
    return str(answer.json()["data"]["taskID"])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stream_ends_and_so_does_the_process(number: signal.Signals, running: ApiProcess) -> None:
    task_id = await submit(running)
    async with running.client.stream("GET", f"/v1/tasks/{task_id}/events") as response:
        stream = EventReader(response)
        await stream.next()
        began = time.monotonic()
        running.process.send_signal(number)

        assert await stream.rest() == []  # to its proper end: nothing was cut off

    await running.ended()
    assert time.monotonic() - began < GRACE_SECONDS


@pytest.mark.timeout(60)
async def test_who_waits_for_a_task_gets_it_as_it_is(running: ApiProcess, redis_url: str) -> None:
    redis = open_redis(redis_url)
    task_id = await submit(running)
    waiting = asyncio.create_task(
        running.client.get("/v1/tasks/status", params={"taskId": task_id, "wait": "60"}, timeout=30)
    )
    await eventually(partial(redis.info, "clients"), lambda info: info["blocked_clients"] > 0)
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(GRACE_SECONDS):
        answer = await waiting

    assert answer.json()["data"]["status"] == "Queued"
    await redis.aclose()
    await running.ended()
    assert time.monotonic() - began < GRACE_SECONDS


async def test_work_is_done_while_nobody_stops() -> None:
    assert await Stopping().cut(asyncio.sleep(0, "done")) == "done"


async def test_a_failure_of_the_work_is_the_callers() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Stopping().cut(fail())


async def test_work_is_cancelled_with_its_caller() -> None:
    cancelled = asyncio.Event()
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    caller = asyncio.create_task(Stopping().cut(work()))
    await started.wait()
    caller.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await caller
        await cancelled.wait()


async def test_signals_go_on_to_the_server_and_are_given_back() -> None:
    heard: list[int] = []

    def server(number: int, _frame: object) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGTERM, server)
    stopping = Stopping()
    try:
        with stopping.told_by_signals():
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                assert await stopping.cut(asyncio.Event().wait()) is None
        assert signal.getsignal(signal.SIGTERM) is server
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert stopping


async def test_a_signal_that_nobody_handles_keeps_its_default() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with Stopping().told_by_signals():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_what_the_server_sets_meanwhile_is_kept() -> None:
    def server(_number: int, _frame: object) -> None: ...

    def other(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, server)
    try:
        with Stopping().told_by_signals():
            signal.signal(signal.SIGTERM, other)
        assert signal.getsignal(signal.SIGTERM) is other
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_outside_the_main_thread_there_are_no_signals_to_hear() -> None:
    handlers: list[object] = []

    async def live() -> None:
        with Stopping().told_by_signals():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    await asyncio.to_thread(thread.join, 5)

    assert handlers == [before]
