"""One reading at a time, shared by those who wait for it."""

import asyncio
from dataclasses import replace
from typing import Any

from buddy_common.schemas.resources import Resource
from buddy_worker.reads.sources import Files, GatewayCalls
from worker.reads.recorded import NEW, recorded_hello
from worker.reads.scene import CHAT, SKILLS, Gate, Scene, gated


async def test_callers_that_come_while_one_runs_share_the_next_one(scene: Scene) -> None:
    gate = Gate()
    ended: list[str] = []

    async def call(name: str) -> None:
        await scene.refresher.refresh(gated(gate))
        ended.append(name)

    async with asyncio.timeout(5):
        first = asyncio.create_task(call("first"))
        assert await gate.began.get() == 1
        others = [asyncio.create_task(call(name)) for name in ("second", "third")]
        await asyncio.sleep(0)
        gate.may_end.release()
        await first
        assert await gate.began.get() == 2
        assert ended == ["first"]
        gate.may_end.release()
        await asyncio.gather(*others)

    assert sorted(ended) == ["first", "second", "third"]
    assert (gate.begun, gate.most_at_once) == (2, 1)
    assert scene.read_model.data(Resource.SKILLS) == [1, 2]


async def test_callers_that_come_when_none_runs_get_one_each(scene: Scene) -> None:
    gate = Gate(may_end=asyncio.Semaphore(2))

    await scene.refresher.refresh(gated(gate))
    await scene.refresher.refresh(gated(gate))

    assert scene.read_model.data(Resource.SKILLS) == [1, 2]


async def test_caller_that_comes_again_at_once_waits_with_those_that_wait_already(scene: Scene) -> None:
    gate = Gate()

    async def call_twice() -> None:
        await scene.refresher.refresh(gated(gate))
        await scene.refresher.refresh(gated(gate))

    async with asyncio.timeout(5):
        twice = asyncio.create_task(call_twice())
        await gate.began.get()
        once = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await asyncio.sleep(0)
        for _ in range(3):
            gate.may_end.release()
        await asyncio.gather(twice, once)

    assert (gate.begun, gate.most_at_once) == (2, 1)


async def test_resources_do_not_wait_for_each_other(scene: Scene) -> None:
    gate = Gate()
    async with asyncio.timeout(5):
        slow = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await gate.began.get()
        await scene.refresher.refresh(CHAT)
        assert not slow.done()
        gate.may_end.release()
        await slow


async def test_caller_that_gives_up_ends_nobody_elses_reading(scene: Scene) -> None:
    gate = Gate()
    async with asyncio.timeout(5):
        first = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await gate.began.get()
        second = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        third = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        gate.may_end.release()
        gate.may_end.release()
        await third

    assert scene.read_model.data(Resource.SKILLS) == [1, 2]


async def test_who_asks_gets_the_truth_even_if_somebody_waited_before_who_did_not(scene: Scene) -> None:
    gate = Gate()
    async with asyncio.timeout(5):
        running = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await gate.began.get()
        waiting = asyncio.create_task(scene.refresher.refresh(SKILLS))
        await asyncio.sleep(0)
        asking = asyncio.create_task(scene.refresher.refresh(SKILLS, asked=True))
        await asyncio.sleep(0)
        scene.go_down()
        gate.may_end.release()
        await asyncio.gather(running, waiting, asking)

    assert scene.read_model.data(Resource.SKILLS) == [1, "of the command"]


async def test_what_was_asked_once_is_not_asked_forever(scene: Scene) -> None:
    await test_who_asks_gets_the_truth_even_if_somebody_waited_before_who_did_not(scene)

    gate = Gate()
    scene.link.hello = recorded_hello(NEW)
    async with asyncio.timeout(5):
        running = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await gate.began.get()
        waiting = asyncio.create_task(scene.refresher.refresh(SKILLS))
        await asyncio.sleep(0)
        scene.go_down()
        gate.may_end.release()
        await asyncio.gather(running, waiting)

    assert scene.commands.runs == 1


async def test_closing_ends_what_is_being_read(scene: Scene) -> None:
    async def for_ever(_gateway: GatewayCalls, _files: Files) -> Any:
        await asyncio.Event().wait()

    endless = replace(SKILLS, gateway=for_ever)
    reading = [asyncio.create_task(scene.refresher.refresh(endless)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await scene.refresher.close()
        results = await asyncio.gather(*reading, return_exceptions=True)

    assert {type(result) for result in results} == {asyncio.CancelledError}


async def test_what_waited_when_it_was_closed_can_be_read_again(scene: Scene) -> None:
    gate = Gate()
    async with asyncio.timeout(5):
        running = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await gate.began.get()
        waiting = asyncio.create_task(scene.refresher.refresh(gated(gate)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await scene.refresher.close()
        await asyncio.gather(running, waiting, return_exceptions=True)

        await scene.refresher.refresh(SKILLS)

    assert scene.read_model.data(Resource.SKILLS) == ["of the gateway"]
