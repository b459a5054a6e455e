"""When a reading is due, when it is tried again, and what it costs."""

from dataclasses import replace
from typing import Any

import pytest

from buddy_common.errors import OpenClawCliError
from buddy_worker.reads.refresher import COMMAND_EVERY_SECONDS, PATIENCE_SECONDS, TRY_AGAIN_SECONDS
from buddy_worker.reads.sources import Files, GatewayCalls
from worker.reads.recorded import OLD, recorded_hello
from worker.reads.scene import PLUGINS, SKILLS, Scene


def test_what_was_never_read_is_due(scene: Scene) -> None:
    assert scene.refresher.is_due(SKILLS)


@pytest.mark.parametrize(
    ("later", "due"),
    [(0, False), (SKILLS.seconds, False), (SKILLS.seconds + 1, True)],
)
async def test_what_was_read_is_due_after_its_time(scene: Scene, later: float, *, due: bool) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.clock.now += later

    assert scene.refresher.is_due(SKILLS) is due


@pytest.mark.parametrize(
    ("later", "due"),
    [(SKILLS.seconds + 1, False), (COMMAND_EVERY_SECONDS, False), (COMMAND_EVERY_SECONDS + 1, True)],
)
async def test_what_a_command_told_is_due_much_later(scene: Scene, later: float, *, due: bool) -> None:
    scene.link.hello = recorded_hello(OLD)
    await scene.refresher.refresh(PLUGINS)
    scene.clock.now += later

    assert scene.refresher.is_due(PLUGINS) is due


@pytest.mark.parametrize(("later", "due"), [(0, False), (TRY_AGAIN_SECONDS - 1, False), (5, True)])
async def test_what_failed_is_tried_again_after_a_pause(scene: Scene, later: float, *, due: bool) -> None:
    scene.link.answer = KeyError()
    await scene.refresher.refresh(SKILLS)
    scene.clock.now += later

    assert scene.refresher.is_due(SKILLS) is due


async def test_what_is_out_of_date_is_not_tried_all_the_time_either(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.clock.now += 1000
    scene.link.answer = KeyError()
    await scene.refresher.refresh(SKILLS)

    assert not scene.refresher.is_due(SKILLS)
    scene.clock.now += TRY_AGAIN_SECONDS
    assert scene.refresher.is_due(SKILLS)


async def test_a_command_that_fails_again_and_again_is_tried_less_and_less_often(scene: Scene) -> None:
    scene.go_down()
    scene.clock.now += PATIENCE_SECONDS + 1
    scene.commands.answer = OpenClawCliError("It fails.", exit_code=1, signal=None)
    pauses = []
    for _ in range(6):
        await scene.refresher.refresh(PLUGINS)
        began = scene.clock.now
        while not scene.refresher.is_due(PLUGINS):
            scene.clock.now += 5
        pauses.append(scene.clock.now - began)

    assert pauses == [60, 120, 240, 480, 900, 900]
    assert scene.commands.runs == 6


async def test_cost_is_what_a_reading_takes_again_and_again(scene: Scene) -> None:
    took = iter([4.0, 2.5, 3.0, 0.5])

    async def slowly(_gateway: GatewayCalls, _files: Files) -> Any:
        scene.clock.now += next(took)
        return "at last"

    costs = [scene.refresher.cost_seconds(SKILLS)]
    for _ in range(4):
        await scene.refresher.refresh(replace(SKILLS, gateway=slowly))
        costs.append(scene.refresher.cost_seconds(SKILLS))

    assert costs == [0, 0, 2.5, 2.5, 0.5]
