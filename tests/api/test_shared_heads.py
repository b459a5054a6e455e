"""Heads that are asked for together: one question, an answer no older than it, and nobody spoils it."""

import asyncio

import pytest
from redis.asyncio import Redis

from buddy_api.shared_heads import SharedHeads
from buddy_common.adapters.read_model import ReadHead, ReadModel
from buddy_common.errors import BrokerUnavailableError

PAGES = 5


class HeldReadModel(ReadModel):
    """A read model that answers when the test lets it."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.asked = 0
        self.asking = asyncio.Event()
        self.go_on = asyncio.Event()
        self.broken = False

    async def head(self, node: str, resource: str) -> ReadHead | None:
        self.asked += 1
        self.asking.set()
        found = await super().head(node, resource)
        await self.go_on.wait()
        if self.broken:
            raise BrokerUnavailableError("gone")
        return found


@pytest.fixture
async def model(redis: Redis) -> HeldReadModel:
    held = HeldReadModel(redis)
    await publish(held, "old")
    return held


async def publish(model: ReadModel, source: str) -> None:
    await model.put("local", "skills", "[]", source=source, fresh_seconds=30)


def ask(heads: SharedHeads) -> "list[asyncio.Task[ReadHead | None]]":
    return [asyncio.create_task(heads.get("local", "skills")) for _ in range(PAGES)]


async def sources(asked: "list[asyncio.Task[ReadHead | None]]") -> list[str | None]:
    async with asyncio.timeout(5):
        return [found.source if found else None for found in await asyncio.gather(*asked)]


async def test_those_who_ask_together_share_one_question(model: HeldReadModel) -> None:
    model.go_on.set()

    assert await sources(ask(SharedHeads(model))) == ["old"] * PAGES
    assert model.asked == 2, "the first asks at once, the others together"


async def test_who_asks_while_one_is_asked_gets_what_is_true_from_then_on(model: HeldReadModel) -> None:
    heads = SharedHeads(model)
    first = ask(heads)
    async with asyncio.timeout(5):
        await model.asking.wait()
    await publish(model, "new")
    second = ask(heads)
    model.go_on.set()

    assert await sources(second) == ["new"] * PAGES
    assert await sources(first[:1]) == ["old"]
    assert model.asked == 2


async def test_the_first_one_who_leaves_lets_the_others_ask(model: HeldReadModel) -> None:
    leaving, *others = ask(SharedHeads(model))
    async with asyncio.timeout(5):
        await model.asking.wait()
    leaving.cancel()
    model.go_on.set()

    assert await sources(others) == ["old"] * (PAGES - 1)
    assert leaving.cancelled()


async def test_one_who_leaves_takes_the_answer_from_nobody(model: HeldReadModel) -> None:
    first, leaving, *others = ask(SharedHeads(model))
    async with asyncio.timeout(5):
        await model.asking.wait()
    leaving.cancel()
    model.go_on.set()

    assert await sources([first, *others]) == ["old"] * (PAGES - 1)
    assert leaving.cancelled()


async def test_a_broker_that_is_gone_is_told_to_all_and_asked_again(model: HeldReadModel) -> None:
    heads = SharedHeads(model)
    model.broken = True
    model.go_on.set()
    told = await asyncio.gather(*ask(heads), return_exceptions=True)
    model.broken = False

    assert {type(failure) for failure in told} == {BrokerUnavailableError}
    assert await sources(ask(heads)) == ["old"] * PAGES
