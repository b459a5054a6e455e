"""What is read while the gateway is down."""

from dataclasses import replace

from buddy_common.schemas.resources import Resource
from buddy_worker.reads.refresher import COMMAND_EVERY_SECONDS, PATIENCE_SECONDS
from worker.reads.recorded import NEW, recorded_hello
from worker.reads.scene import BOTS, CHAT, SKILLS, Published, Scene


async def test_what_the_gateway_said_holds_until_the_config_is_another_one(scene: Scene) -> None:
    await scene.refresher.refresh(BOTS)
    scene.go_down()

    await scene.refresher.refresh(BOTS)
    assert scene.read_model.data(Resource.BOTS_MODELS) == ["of the gateway"]

    scene.edit_config()
    await scene.refresher.refresh(BOTS)
    assert scene.read_model.latest[Resource.BOTS_MODELS] == Published(
        {"of the files": {"edited": True}}, "file", BOTS.fresh_seconds, of_gateway=True
    )


async def test_what_is_of_a_moment_does_not_hold_when_the_gateway_is_gone(scene: Scene) -> None:
    live = replace(BOTS, live=True)
    await scene.refresher.refresh(live)
    scene.go_down()

    await scene.refresher.refresh(live)

    assert scene.read_model.latest[Resource.BOTS_MODELS].source == "file"


async def test_files_tell_at_once_what_no_gateway_has_told_yet(scene: Scene) -> None:
    scene.go_down()

    await scene.refresher.refresh(BOTS)

    assert scene.read_model.latest[Resource.BOTS_MODELS].source == "file"


async def test_files_tell_whoever_asks_while_the_gateway_is_down(scene: Scene) -> None:
    await scene.refresher.refresh(BOTS)
    scene.go_down()

    await scene.refresher.refresh(BOTS, asked=True)

    assert scene.read_model.latest[Resource.BOTS_MODELS].source == "file"


async def test_command_is_run_for_whoever_asks_while_the_gateway_is_down(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.go_down()

    await scene.refresher.refresh(SKILLS)
    assert scene.commands.runs == 0

    await scene.refresher.refresh(SKILLS, asked=True)
    assert scene.read_model.latest[Resource.SKILLS] == Published(
        "of the command", "cli", 3 * COMMAND_EVERY_SECONDS, of_gateway=True
    )


async def test_command_is_not_run_for_an_edit_that_nobody_asks_about(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.go_down()
    scene.edit_config()

    await scene.refresher.refresh(SKILLS)

    assert scene.commands.runs == 0


async def test_command_waits_for_a_gateway_that_may_be_starting(scene: Scene) -> None:
    scene.go_down()
    scene.clock.now += PATIENCE_SECONDS

    await scene.refresher.refresh(SKILLS)
    assert scene.commands.runs == 0

    scene.clock.now += 1
    await scene.refresher.refresh(SKILLS)
    assert scene.read_model.data(Resource.SKILLS) == ["of the command"]


async def test_patience_begins_when_the_gateway_was_seen_last(scene: Scene) -> None:
    scene.clock.now += 10 * PATIENCE_SECONDS
    await scene.refresher.refresh(CHAT)
    scene.go_down()
    scene.clock.now += PATIENCE_SECONDS

    await scene.refresher.refresh(SKILLS)

    assert scene.commands.runs == 0


async def test_gateway_that_is_back_is_asked_again(scene: Scene) -> None:
    scene.go_down()
    await scene.refresher.refresh(SKILLS, asked=True)
    scene.link.hello = recorded_hello(NEW)

    await scene.refresher.refresh(SKILLS)

    assert [entry.source for _, entry in scene.read_model.published] == ["cli", "rpc"]
