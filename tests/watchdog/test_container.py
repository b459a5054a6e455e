"""A gateway that ends together with its container, and starts with the next one, has had no incident."""

import asyncio
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from buddy_common.adapters.init_socket import listens
from buddy_common.schemas.verdicts import Verdict
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import Ward

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="containers are Linux's"),
]


async def start_container(socket: Path) -> Process:
    """Start the first process of the gateway's container, and wait until it takes requests."""
    init = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "buddy_worker.container_init", str(socket), "5"
    )
    await eventually(lambda: asyncio.to_thread(listens, socket), bool)
    return init


async def has_verdict(ward: Ward, verdict: Verdict) -> None:
    await eventually(ward.snapshot, lambda seen: seen is not None and seen.verdict is verdict, seconds=20)


async def test_a_container_that_is_replaced_is_no_incident(
    redis_url: str,
    fake_openclaw: FakeOpenClaw,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    socket = tmp_path_factory.mktemp("i") / "init.sock"  # a socket's path may have 107 characters only
    monkeypatch.setenv("BUDDY_GATEWAY_INIT", str(socket))
    ward = await asyncio.to_thread(Ward, redis_url, fake_openclaw)
    first = await start_container(socket)
    second: Process | None = None
    try:
        await ward.start()
        async with ward.watched(interval_seconds=0.2):
            await has_verdict(ward, Verdict.READY)
            first.terminate()
            await first.wait()
            await has_verdict(ward, Verdict.DRAINING)
            second = await start_container(socket)
            await ward.start()
            await has_verdict(ward, Verdict.READY)
    finally:
        for init in (first, second):
            if init is not None and init.returncode is None:
                init.terminate()
                await init.wait()
        await ward.host.close()

    assert ward.diary.events == []
