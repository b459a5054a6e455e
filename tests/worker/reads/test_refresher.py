"""One reading at a time, the right way at each moment, and all of it published."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from buddy_common.adapters.transcripts import TranscriptCounter
from buddy_common.errors import BrokerUnavailableError, GatewayRpcError, OpenClawCliError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads import refresher as module
from buddy_worker.reads.refresher import COMMAND_EVERY_SECONDS, PATIENCE_SECONDS, TRY_AGAIN_SECONDS, Refresher
from buddy_worker.reads.sources import Files, GatewayCalls
from buddy_worker.reads.table import Read
from worker.reads.recorded import NEW, OLD, recorded_hello
from worker.reads.scene import (
    BOTS,
    CHAT,
    PLUGINS,
    SKILLS,
    Clock,
    FakeCommands,
    FakeConfig,
    FakeLink,
    FakeReadModel,
    Gate,
    Published,
    Scene,
    gated,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def scene(tmp_path: Path, clock: Clock) -> Scene:
    """A refresher that is connected to a gateway of the newer generation."""
    link, config = FakeLink(recorded_hello(NEW)), FakeConfig(tmp_path)
    commands, read_model = FakeCommands(), FakeReadModel()
    refresher = Refresher(
        "local",
        link=cast("Any", link),
        config=cast("Any", config),
        commands=cast("Any", commands),
        transcripts=TranscriptCounter(tmp_path / "agents", keep_days=90),
        read_model=cast("Any", read_model),
    )
    return Scene(link, commands, config, read_model, clock, refresher)


# --- which way


async def test_gateway_is_asked_first(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.latest == {
        Resource.SKILLS: Published("of the gateway", "rpc", SKILLS.fresh_seconds, of_gateway=True)
    }
    assert scene.commands.runs == 0


async def test_command_tells_what_the_gateway_does_not_know(scene: Scene) -> None:
    scene.link.hello = recorded_hello(OLD)

    await scene.refresher.refresh(PLUGINS)

    assert scene.read_model.latest == {
        Resource.PLUGINS: Published("of the command", "cli", 3 * COMMAND_EVERY_SECONDS, of_gateway=True)
    }


async def test_files_tell_what_neither_does(scene: Scene) -> None:
    scene.config.config = {"chat": "on"}

    await scene.refresher.refresh(CHAT)

    assert scene.read_model.latest == {
        Resource.CHAT: Published(
            {"of the files": {"chat": "on"}}, "file", CHAT.fresh_seconds, of_gateway=True
        )
    }


async def test_what_cannot_be_read_in_any_way_is_not_published(scene: Scene) -> None:
    hello = recorded_hello(NEW)
    scene.link.hello = replace(hello, methods=frozenset())

    await scene.refresher.refresh(replace(SKILLS, command=None))

    assert scene.read_model.published == []


async def test_text_is_short_and_keeps_its_characters(scene: Scene) -> None:
    scene.link.answer = {"name": "一号", "emoji": "🤖"}

    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.texts == ['{"name":"一号","emoji":"🤖"}']


async def test_reads_see_what_was_read_before(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)

    files = scene.refresher.files()

    assert files.last == {Resource.SKILLS: "of the gateway"}
    assert files.state_dir == scene.config.folder


# --- one at a time


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


# --- what goes wrong


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


# --- without the gateway


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


# --- when


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


async def test_what_is_doubted_is_doubted_once_until_it_is_read_again(scene: Scene) -> None:
    await scene.refresher.doubt(SKILLS)
    await scene.refresher.refresh(SKILLS)
    for _ in range(2):
        await scene.refresher.doubt(SKILLS)
    await scene.refresher.refresh(SKILLS)
    await scene.refresher.doubt(SKILLS)

    assert scene.read_model.doubted == [Resource.SKILLS, Resource.SKILLS]


async def test_doubt_without_a_broker_is_caught_up_later(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)
    scene.read_model.gone = True

    await scene.refresher.doubt(SKILLS)

    assert scene.refresher.behind


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


@pytest.mark.parametrize(
    ("version", "read", "needs"),
    [
        (NEW, PLUGINS, False),
        (OLD, PLUGINS, True),
        (OLD, SKILLS, False),
        (None, SKILLS, True),
        (None, BOTS, False),
        (None, CHAT, False),
    ],
)
def test_command_is_needed_where_the_gateway_does_not_tell(
    scene: Scene, version: str | None, read: Read, *, needs: bool
) -> None:
    scene.link.hello = None if version is None else recorded_hello(version)

    assert scene.refresher.needs_command(read) is needs
