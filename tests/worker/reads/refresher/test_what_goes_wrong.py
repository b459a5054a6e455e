"""Readings that fail, what is doubted, and what a broker did not take or forgot."""

import asyncio
from dataclasses import replace

import pytest

from buddy_common.errors import BrokerUnavailableError, GatewayConfigError, GatewayRpcError, OpenClawCliError
from buddy_common.schemas.resources import Resource
from worker.reads.scene import CHAT, SKILLS, Published, Scene


@pytest.mark.parametrize(
    "failure",
    [
        GatewayRpcError("skills.status", code="UNAVAILABLE", reason="starting"),
        KeyError("an answer of another shape"),
    ],
    ids=["ours", "a bug"],
)
async def test_read_that_fails_keeps_what_is_known(scene: Scene, failure: Exception) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.link.answer = failure

    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.data(Resource.SKILLS) == ["of the gateway"]
    assert scene.refresher.files().last == {Resource.SKILLS: "of the gateway"}
    assert scene.refresher.has_failed(SKILLS)
    assert scene.read_model.doubted == [Resource.SKILLS]
    await scene.refresher.publish_again()
    assert scene.read_model.data(Resource.SKILLS) == ["of the gateway", "of the gateway"]


@pytest.mark.parametrize("link", ["up", "down"])
async def test_a_config_that_was_never_read_replaces_nothing_that_was_published(
    scene: Scene, link: str
) -> None:
    chat = replace(CHAT, of_config=True)
    scene.config.known, scene.config.problem = False, GatewayConfigError("It has a stray comma.")
    if link == "down":
        scene.go_down()

    await scene.refresher.refresh(chat, asked=True)

    assert scene.read_model.published == []
    assert scene.read_model.doubted == [Resource.CHAT]  # what a reader before us has published
    assert "stray comma" in scene.refresher.reason(chat)
    scene.config.known, scene.config.problem = True, None
    await scene.refresher.refresh(chat)
    assert scene.read_model.data(Resource.CHAT) == [{"of the files": {}}]
    assert scene.refresher.reason(chat) == ""


async def test_a_config_that_broke_later_is_told_as_it_was_before(scene: Scene) -> None:
    scene.config.config, scene.config.problem = {"chat": "on"}, GatewayConfigError("It has a stray comma.")

    await scene.refresher.refresh(replace(CHAT, of_config=True))

    assert scene.read_model.data(Resource.CHAT) == [{"of the files": {"chat": "on"}}]


async def test_read_that_fails_leaves_the_way_free_for_the_next_one(scene: Scene) -> None:
    scene.link.answer = KeyError()
    await scene.refresher.refresh(SKILLS)
    scene.link.answer = "well again"

    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.data(Resource.SKILLS) == ["well again"]


async def test_command_that_fails_is_no_answer(scene: Scene) -> None:
    scene.go_down()
    scene.commands.answer = OpenClawCliError("OpenClaw did not do it.", exit_code=0, signal=None)

    await scene.refresher.refresh(SKILLS, asked=True)

    assert scene.read_model.published == []
    assert scene.commands.runs == 1


async def test_what_a_broker_that_was_gone_did_not_take_is_published_again(scene: Scene) -> None:
    scene.read_model.gone = True
    await scene.refresher.refresh(SKILLS)
    await scene.refresher.refresh(CHAT)
    assert scene.refresher.behind

    scene.read_model.gone = False
    await scene.refresher.publish_again()

    assert not scene.refresher.behind
    assert scene.read_model.latest == {
        Resource.SKILLS: Published("of the gateway", "rpc", 190, of_gateway=True),
        Resource.CHAT: Published({"of the files": {}}, "file", 100, of_gateway=True),
    }


async def test_what_a_broker_forgot_is_published_again(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    before = scene.read_model.latest
    scene.read_model.published.clear()

    await scene.refresher.publish_again()

    assert scene.read_model.latest == before


async def test_what_is_published_again_is_as_old_and_as_doubtful_as_it_was(scene: Scene) -> None:
    for read in (SKILLS, CHAT):
        await scene.refresher.refresh(read)
    read_at = scene.clock.time()
    scene.clock.now += 50
    scene.read_model.gone = True
    await scene.refresher.doubt(SKILLS)
    scene.read_model.gone = False

    await scene.refresher.publish_again()

    latest = scene.read_model.latest
    assert {name: entry.updated_at for name, entry in latest.items()} == {
        Resource.SKILLS: read_at,
        Resource.CHAT: read_at,
    }
    assert {name: entry.doubtful for name, entry in latest.items()} == {
        Resource.SKILLS: True,
        Resource.CHAT: False,
    }


async def test_doubt_of_what_is_being_published_reaches_the_broker_after_it(scene: Scene) -> None:
    held = scene.read_model.held[Resource.SKILLS] = asyncio.Event()
    async with asyncio.timeout(5):
        reading = asyncio.create_task(scene.refresher.refresh(SKILLS))
        await scene.read_model.holds.wait()
        doubting = asyncio.create_task(scene.refresher.doubt(SKILLS))
        await asyncio.sleep(0)
        assert scene.read_model.doubted == []
        held.set()
        await asyncio.gather(reading, doubting)

    assert scene.read_model.data(Resource.SKILLS) == ["of the gateway"]
    assert scene.read_model.doubted == [Resource.SKILLS]


async def test_broker_that_is_still_gone_leaves_us_behind(scene: Scene) -> None:
    scene.read_model.gone = True
    await scene.refresher.refresh(SKILLS)

    with pytest.raises(BrokerUnavailableError):
        await scene.refresher.publish_again()

    assert scene.refresher.behind


async def test_publishing_again_never_brings_back_what_is_out_of_date(scene: Scene) -> None:
    await scene.refresher.refresh(CHAT)
    await scene.refresher.refresh(SKILLS)
    chat = scene.read_model.held[Resource.CHAT] = asyncio.Event()
    async with asyncio.timeout(5):
        again = asyncio.create_task(scene.refresher.publish_again())
        await asyncio.sleep(0)
        scene.link.answer = "newer"
        await scene.refresher.refresh(SKILLS)
        chat.set()
        await again

    assert scene.read_model.latest[Resource.SKILLS].data == "newer"


async def test_what_gets_lost_while_the_rest_is_published_again_leaves_us_behind(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    await scene.refresher.refresh(CHAT)
    chat = scene.read_model.held[Resource.CHAT] = asyncio.Event()
    async with asyncio.timeout(5):
        again = asyncio.create_task(scene.refresher.publish_again())
        await asyncio.sleep(0)  # the skills are published again already
        scene.read_model.gone = True
        await scene.refresher.refresh(SKILLS)
        scene.read_model.gone = False
        chat.set()
        await again

    assert scene.refresher.behind


async def test_what_is_doubted_is_doubted_once_until_it_is_read_again(scene: Scene) -> None:
    await scene.refresher.doubt(SKILLS)
    await scene.refresher.refresh(SKILLS)
    for _ in range(2):
        await scene.refresher.doubt(SKILLS)
    await scene.refresher.refresh(SKILLS)
    await scene.refresher.doubt(SKILLS)

    assert scene.read_model.doubted == [Resource.SKILLS] * 3


async def test_doubt_without_a_broker_is_caught_up_later(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.read_model.gone = True

    await scene.refresher.doubt(SKILLS)

    assert scene.refresher.behind
