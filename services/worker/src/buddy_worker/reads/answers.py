"""Answers to what the api asks of the node's reader."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion, RefreshRequests
from buddy_common.errors import BrokerUnavailableError, BuddyError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.backups import read_backups
from buddy_worker.reads.bot_file import read_bot_file
from buddy_worker.reads.refresher import Refresher
from buddy_worker.reads.reports import read_reports
from buddy_worker.reads.table import BY_RESOURCE, Read

MAX_AT_ONCE = 16
WITHOUT_BROKER_SECONDS = 0.5


class Answers:
    """Takes one question after the other and answers several at once."""

    def __init__(
        self,
        node: str,
        requests: RefreshRequests,
        *,
        refresher: Refresher,
        config: WatchedConfig,
        plan: Callable[[Iterable[Read]], None],
        publish_capabilities: Callable[[], Awaitable[None]],
        host: HostPlane,
    ) -> None:
        self._node = node
        self._requests = requests
        self._refresher = refresher
        self._config = config
        self._plan = plan
        self._publish_capabilities = publish_capabilities
        self._host = host
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run_forever(self) -> None:
        """Take questions until cancelled."""
        while True:
            try:
                question = await self._requests.next_question(self._node)
            except BrokerUnavailableError:
                await asyncio.sleep(WITHOUT_BROKER_SECONDS)
                continue
            if question is not None and question.until > time.time():
                self._take(question)

    async def close(self) -> None:
        """Leave what is not answered yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, question: ReadQuestion) -> None:
        if not question.id:  # nobody waits: it may cost no more than an event does
            self._plan(_reads_of(question))
            return
        task = asyncio.create_task(self._answer(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: ReadQuestion) -> None:
        try:
            async with self._at_once:
                answer = await self._find(question)
        except BuddyError as exc:
            answer = ReadAnswer(error=exc.error, message=exc.message, data=exc.detail)
        with suppress(BrokerUnavailableError):  # whoever waits gives up by itself
            await self._requests.answer(self._node, question, answer)

    async def _find(self, question: ReadQuestion) -> ReadAnswer:
        if question.backups is not None:
            host = self._host
            found = await asyncio.to_thread(read_backups, host.history, host.live_config, question.backups)
            return ReadAnswer(data=found)
        if question.reports is not None:
            return ReadAnswer(
                data=await asyncio.to_thread(read_reports, self._host.reports, question.reports)
            )
        return await (self._read_file(question) if question.bot else self._read_all(question))

    async def _read_all(self, question: ReadQuestion) -> ReadAnswer:
        await asyncio.to_thread(self._config.refresh)
        if Resource.CAPABILITIES in question.resources:
            await self._publish_capabilities()
        reads = _reads_of(question)
        await self._refresh([read for read in reads if read.feeds])  # first what others are made of
        await self._refresh([read for read in reads if not read.feeds])
        failed = [read.resource for read in reads if self._refresher.has_failed(read)]
        return ReadAnswer(data={"failed": failed})

    async def _refresh(self, reads: list[Read]) -> None:
        await asyncio.gather(*(self._refresher.refresh(read, asked=True) for read in reads))

    async def _read_file(self, question: ReadQuestion) -> ReadAnswer:
        bots = self._refresher.files().last.get(Resource.BOTS_MODELS)
        if bots is None or all(bot["id"] != question.bot for bot in bots["bots"]):
            await self._refresher.refresh(BY_RESOURCE[Resource.BOTS_MODELS])
            bots = self._refresher.files().last.get(Resource.BOTS_MODELS)
        found = await asyncio.to_thread(
            read_bot_file, bots["bots"] if bots else [], bot=str(question.bot), name=str(question.file)
        )
        return ReadAnswer(data=found)


def _reads_of(question: ReadQuestion) -> list[Read]:
    return [BY_RESOURCE[Resource(name)] for name in question.resources if name in BY_RESOURCE]
