"""The watchdog looks, publishes, and notices a death at once."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.errors import BrokerUnavailableError, StateUnwritableError
from buddy_common.schemas.gateway import Desired, GatewayState
from buddy_common.schemas.healing import Healing, Quarantined, SelfHealing
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.verdicts import Verdict
from buddy_common.usecases.publish_node import publish_gateway
from buddy_watchdog import gather as gather_module
from buddy_watchdog import runner as runner_module
from buddy_watchdog.app import create_app
from buddy_watchdog.config_look import ConfigLooker
from buddy_watchdog.kept_out import kept_out
from buddy_watchdog.process_end import wait_for_end
from eventually import eventually
from fakes.broker import BrokerServer
from fakes.openclaw_program import FakeOpenClaw
from watchdog.scene import Ward

OFF = SelfHealing(mode=Healing.OFF)
KEPT_OUT = Quarantined(
    id="q-1",
    at=datetime(2026, 1, 2, tzinfo=UTC),
    incident="i",
    path=["channels", "telegram"],
    reason="It failed to load.",
    value={},
)


async def published(ward: Ward) -> GatewayState | None:
    snapshot = await ward.snapshot()
    return None if snapshot is None else snapshot.state


async def test_it_publishes_gateway_machine_and_program(ward: Ward) -> None:
    async with ward.watched():
        await eventually(lambda: published(ward), lambda state: state is GatewayState.STOPPED)
        model = ward.host.read_model
        for resource in (Resource.SYSTEM, Resource.OPENCLAW):
            await eventually(partial(model.get, "local", resource), lambda entry: entry is not None)


async def test_it_notices_a_killed_gateway_long_before_the_next_look(ward: Ward) -> None:
    pid = await ward.start()
    ward.diary.wanted = OFF
    async with ward.watched():
        await eventually(lambda: published(ward), lambda state: state is GatewayState.RUNNING)

        os.kill(pid, signal.SIGKILL)

        await eventually(lambda: published(ward), lambda state: state is GatewayState.CRASHED)


async def test_a_broker_that_comes_back_gets_the_news(
    own_broker: BrokerServer, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = await asyncio.to_thread(Ward, own_broker.url, fake_openclaw)
    own_broker.stop()
    into_the_void = asyncio.Event()
    publish = publish_gateway

    async def publish_and_tell(*arguments: Any, **options: Any) -> None:
        try:
            await publish(*arguments, **options)
        except BrokerUnavailableError:
            into_the_void.set()
            raise

    monkeypatch.setattr(runner_module, "publish_gateway", publish_and_tell)
    async with ward.watched(interval_seconds=0.2):
        async with asyncio.timeout(5):
            await into_the_void.wait()
        own_broker.start()
        own_broker.flush()

        await eventually(lambda: published(ward), lambda state: state is GatewayState.STOPPED)
    await ward.host.close()


async def test_a_bug_in_a_look_does_not_end_the_watching(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def explode(*_: object, **__: object) -> None:
        nonlocal looks
        looks += 1
        raise ZeroDivisionError

    monkeypatch.setattr(gather_module, "look_closely", explode)

    async def count() -> int:
        return looks

    async with ward.watched(interval_seconds=0.01):
        await eventually(count, lambda number: number > 3)


async def test_a_gateway_that_is_gone_while_a_job_restarts_it_has_not_crashed(ward: Ward) -> None:
    ward.diary.wanted = OFF
    await ward.host.state.set_desired(Desired.RUNNING)
    held = await asyncio.to_thread(ward.host.locks.try_hold, {NodeLock.LIFECYCLE})
    assert held is not None
    async with ward.watched(interval_seconds=0.05):
        await eventually(lambda: published(ward), lambda state: state is GatewayState.STARTING)
        held.release()
        await eventually(lambda: published(ward), lambda state: state is GatewayState.CRASHED)


@pytest.mark.parametrize("failing", [[], ["telegram"]])
async def test_a_gateway_that_was_up_before_anybody_asked_for_it_is_wanted_weak_or_not(
    ward: Ward, failing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "READY_SECONDS", 0.1)
    ward.fake.configure(failing=failing)
    await ward.start()
    await asyncio.to_thread((ward.folder / "desired.json").unlink)
    async with ward.watched(interval_seconds=0.05):
        await eventually(ward.host.state.desired, lambda wish: wish is Desired.RUNNING)


async def test_a_state_folder_that_cannot_be_used_does_not_end_the_watching(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: NodeLocks, _names: object) -> bool:
        raise StateUnwritableError("No space left on device.")

    monkeypatch.setattr(NodeLocks, "are_free", refuse)
    async with ward.watched():
        await eventually(lambda: published(ward), lambda state: state is GatewayState.STOPPED)


async def test_health_is_503_when_the_loop_is_stuck(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = ward.runner(interval_seconds=0.01)
    app = create_app(runner)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://watchdog") as client:
        fresh = await client.get("/health")
        monkeypatch.setattr(runner_module, "STUCK_SECONDS", -1.0)
        stuck = await client.get("/health")

    assert (fresh.status_code, fresh.json()["data"]) == (200, {"status": "ok"})
    assert stuck.status_code == stuck.json()["code"] == 503


async def test_wait_for_end_returns_at_once_for_a_dead_process() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    async with asyncio.timeout(5):
        assert await wait_for_end(process.pid, seconds=60)


async def test_wait_for_end_gives_up_when_the_time_is_up() -> None:
    assert not await wait_for_end(os.getpid(), seconds=0.05)


def put_back(ward: Ward) -> None:
    """Write the entry into the config again, as a restored backup or a hand would."""
    content = json.dumps(ward.config | {"channels": {"telegram": {}}}).encode()
    replace_file(ward.fake.config_file, content)


async def test_an_entry_that_somebody_puts_back_is_in_quarantine_no_more(ward: Ward) -> None:
    async def verdict() -> Verdict | None:
        snapshot = await ward.snapshot()
        return None if snapshot is None else snapshot.verdict

    await asyncio.to_thread(ward.store.add, KEPT_OUT)
    await ward.start()
    async with ward.watched(interval_seconds=0.1):
        await eventually(verdict, lambda seen: seen is Verdict.SAFE_MODE)
        held = await asyncio.to_thread(ward.host.locks.try_hold, {NodeLock.CONFIG})
        assert held is not None
        await asyncio.to_thread(put_back, ward)
        await eventually(verdict, lambda seen: seen is Verdict.READY)
        assert await asyncio.to_thread(ward.store.listing) == [KEPT_OUT]  # a job may take it out again
        held.release()

        async def kept() -> list[Quarantined]:
            return await asyncio.to_thread(ward.store.listing)

        await eventually(kept, lambda rows: not rows)


async def test_what_cannot_be_read_takes_nothing_out_of_quarantine(ward: Ward) -> None:
    looker = ConfigLooker(ward.fake.config_file)
    await asyncio.to_thread(ward.store.add, KEPT_OUT)
    await asyncio.to_thread(put_back, ward)
    await asyncio.to_thread(looker.look)
    await asyncio.to_thread(ward.fake.config_file.write_text, "{ broken")

    assert await asyncio.to_thread(kept_out, ward.store, looker, ward.host.locks) == 1
    assert await asyncio.to_thread(ward.store.listing) == [KEPT_OUT]
