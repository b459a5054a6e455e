"""What the gateway says of a config that it has not taken in yet is not fresh."""

import asyncio
from dataclasses import replace
from typing import Any

from buddy_common.schemas.resources import Resource
from buddy_worker.reads.sources import Files, GatewayCalls
from buddy_worker.reads.table import Read
from worker.reads.scene import CHAT, SKILLS, Gate, Scene, gated

OF_CONFIG = replace(SKILLS, of_config=True)


async def doubtful(scene: Scene, read: Read) -> bool:
    await scene.refresher.refresh(read)
    return scene.read_model.latest[read.resource].doubtful


async def test_what_a_gateway_says_before_it_has_taken_the_edit_in_is_doubtful(scene: Scene) -> None:
    scene.edits.are_awaited = True
    assert await doubtful(scene, OF_CONFIG)
    await scene.refresher.doubt(OF_CONFIG)
    assert scene.read_model.doubted == []  # it is known to be

    scene.edits.are_awaited = False
    assert not await doubtful(scene, OF_CONFIG)


async def test_what_is_not_made_of_the_config_or_not_of_the_gateway_is_not(scene: Scene) -> None:
    scene.edits.are_awaited = True

    assert not await doubtful(scene, SKILLS)
    assert not await doubtful(scene, replace(CHAT, of_config=True))


async def test_what_was_asked_before_the_gateway_had_it_and_told_after_it_is_doubtful(scene: Scene) -> None:
    gate = Gate()
    scene.edits.are_awaited = True
    async with asyncio.timeout(5):
        reading = asyncio.create_task(scene.refresher.refresh(replace(gated(gate), of_config=True)))
        await gate.began.get()
        scene.edits.are_awaited = False
        gate.may_end.release()
        await reading

    assert scene.read_model.latest[Resource.SKILLS].doubtful


async def test_an_edit_while_it_is_read_makes_it_doubtful(scene: Scene) -> None:
    async def read(_gateway: GatewayCalls, _files: Files) -> Any:
        scene.edit_config()
        return "of before"

    assert await doubtful(scene, replace(OF_CONFIG, gateway=read))
