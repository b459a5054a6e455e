"""What is read for a question, and what a question costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion
from buddy_common.schemas.heal_views import ReportQuestion
from buddy_common.schemas.resources import Resource
from buddy_worker.reads import answers as answers_module
from buddy_worker.reads.answers import MAX_AT_ONCE, Answers
from buddy_worker.reads.table import Read

SECONDS = 5
BOTS, TOP, PLUGINS, WECHAT = Resource.BOTS_MODELS, Resource.BOTS_TOP, Resource.PLUGINS, Resource.WECHAT


@dataclass
class FakeRequests:
    """Questions as they come, and what was answered."""

    questions: asyncio.Queue[ReadQuestion] = field(default_factory=asyncio.Queue)
    answers: asyncio.Queue[tuple[ReadQuestion, ReadAnswer]] = field(default_factory=asyncio.Queue)

    async def next_question(self, _node: str) -> ReadQuestion:
        return await self.questions.get()

    async def answer(self, _node: str, question: ReadQuestion, answer: ReadAnswer) -> None:
        self.answers.put_nowait((question, answer))

    async def ask(self, *resources: str, seconds: float = 60, **changes: Any) -> ReadAnswer:
        """Ask, and return the next answer."""
        self.put(*resources, seconds=seconds, **changes)
        async with asyncio.timeout(SECONDS):
            return (await self.answers.get())[1]

    def put(self, *resources: str, name: str = "1", seconds: float = 60, **changes: Any) -> None:
        question = ReadQuestion(id=name, until=time.time() + seconds, resources=list(resources), **changes)
        self.questions.put_nowait(question)


@dataclass
class FakeRefresher:
    """Reads what it is told to, and fails where the test wants it."""

    read: list[Resource] = field(default_factory=list)
    failing: set[Resource] = field(default_factory=set)
    by_command: set[Resource] = field(default_factory=set)
    doubted: set[Resource] = field(default_factory=set)
    due: set[Resource] = field(default_factory=set)
    hanging: set[Resource] = field(default_factory=set)

    async def refresh(self, read: Read, *, asked: bool = False) -> None:
        assert asked
        if read.resource in self.hanging:
            await asyncio.Event().wait()
        self.read.append(read.resource)

    def has_failed(self, read: Read) -> bool:
        return read.resource in self.failing

    def reason(self, read: Read) -> str:
        return f"no {read.resource}" if self.has_failed(read) else ""

    def needs_command(self, read: Read) -> bool:
        return read.resource in self.by_command

    def is_doubted(self, read: Read) -> bool:
        return read.resource in self.doubted

    def is_due(self, read: Read) -> bool:
        return read.resource in self.due

    def gateway_tells(self, read: Read) -> bool:
        del read
        return False


@dataclass
class FakeConfig:
    """A config that never changes."""

    def refresh(self) -> bool:
        return False


@dataclass
class Asked:
    """Answers among fakes."""

    requests: FakeRequests
    refresher: FakeRefresher
    planned: list[Resource] = field(default_factory=list)
    has_planned: asyncio.Event = field(default_factory=asyncio.Event)

    def plan(self, reads: Iterable[Read]) -> None:
        self.planned += [read.resource for read in reads]
        self.has_planned.set()


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    asked = Asked(FakeRequests(), FakeRefresher())
    answers = Answers(
        "local",
        cast("Any", asked.requests),
        refresher=cast("Any", asked.refresher),
        config=cast("Any", FakeConfig()),
        edits=cast("Any", None),
        plan=asked.plan,
        publish_capabilities=cast("Any", None),
        host=cast("Any", SimpleNamespace(reports=None)),
    )
    running = asyncio.create_task(answers.run_forever())
    yield asked
    running.cancel()
    await answers.close()


@pytest.mark.parametrize(("resource", "feeder"), [(TOP, BOTS), (WECHAT, PLUGINS)])
async def test_what_a_list_is_made_of_is_read_before_it(
    asked: Asked, resource: Resource, feeder: Resource
) -> None:
    answer = await asked.requests.ask(resource)

    assert asked.refresher.read == [feeder, resource]
    assert answer.data["failed"] == []
    assert asked.planned == []


async def test_what_is_made_of_a_list_is_read_after_it(asked: Asked) -> None:
    await asked.requests.ask(BOTS)

    assert asked.refresher.read == [BOTS]
    assert asked.planned == [TOP]


async def test_a_list_whose_source_could_not_be_read_is_not_what_was_asked_for(asked: Asked) -> None:
    asked.refresher.failing = {BOTS}

    answer = await asked.requests.ask(TOP, Resource.CHAT)

    assert answer.data == {"failed": [TOP], "reasons": {TOP: f"no {BOTS}"}}


@pytest.mark.parametrize("is_due", [True, False])
async def test_a_page_that_polls_runs_no_command_before_it_is_due(asked: Asked, *, is_due: bool) -> None:
    asked.refresher.by_command = {PLUGINS}
    asked.refresher.due = {PLUGINS} if is_due else set()

    asked.requests.put(PLUGINS, Resource.CHAT, name="")
    async with asyncio.timeout(SECONDS):
        await asked.has_planned.wait()

    assert asked.planned == ([PLUGINS, Resource.CHAT] if is_due else [Resource.CHAT])


@pytest.mark.parametrize("out_of_date", ["doubted", "due", "not at all"])
async def test_a_command_is_run_for_what_is_made_of_its_answer_only_if_that_is_out_of_date(
    asked: Asked, out_of_date: str
) -> None:
    asked.refresher.by_command = {PLUGINS}
    asked.refresher.doubted = {PLUGINS} if out_of_date == "doubted" else set()
    asked.refresher.due = {PLUGINS} if out_of_date == "due" else set()

    await asked.requests.ask(WECHAT)

    assert asked.refresher.read == ([WECHAT] if out_of_date == "not at all" else [PLUGINS, WECHAT])


async def test_questions_for_lists_that_hang_hold_up_no_question_for_a_file(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "read_reports", lambda _reports, _question: {"reports": []})
    asked.refresher.hanging = {Resource.SKILLS}
    for number in range(2 * MAX_AT_ONCE):
        asked.requests.put(Resource.SKILLS, name=f"list {number}")

    answer = await asked.requests.ask(reports=ReportQuestion())

    assert answer.data == {"reports": []}


async def test_nobody_is_kept_from_an_answer_by_those_who_have_given_up(asked: Asked) -> None:
    asked.refresher.hanging = {Resource.SKILLS}
    for number in range(2 * MAX_AT_ONCE):
        asked.requests.put(Resource.SKILLS, name=f"list {number}", seconds=0.3)

    answer = await asked.requests.ask(Resource.CHAT)

    assert answer.data["failed"] == []
    assert asked.requests.answers.empty()  # nobody waits for those


async def test_a_command_is_run_for_whoever_asks_for_its_answer(asked: Asked) -> None:
    asked.refresher.by_command = {PLUGINS}

    await asked.requests.ask(PLUGINS)

    assert asked.refresher.read == [PLUGINS]
