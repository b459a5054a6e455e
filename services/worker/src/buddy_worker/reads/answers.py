"""Answers to what the api asks of the node's reader."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion, RefreshRequests
from buddy_common.errors import BrokerUnavailableError, BuddyError, NotReportedError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.backups import read_backups
from buddy_worker.reads.bot_file import read_bot_file
from buddy_worker.reads.refresher import Refresher
from buddy_worker.reads.reports import read_reports
from buddy_worker.reads.table import BY_RESOURCE, READS, Read
from buddy_worker.reads.taken_in import EditsTakenIn

# for lists and for files apart: a command that tells of a list takes seconds
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
        edits: EditsTakenIn,
        plan: Callable[[Iterable[Read]], None],
        publish_capabilities: Callable[[], Awaitable[None]],
        host: HostPlane,
    ) -> None:
        self._node = node
        self._requests = requests
        self._refresher = refresher
        self._config = config
        self._edits = edits
        self._plan = plan
        self._publish_capabilities = publish_capabilities
        self._host = host
        self._at_once = {of_lists: asyncio.Semaphore(MAX_AT_ONCE) for of_lists in (True, False)}
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
        if not question.id:  # nobody waits: it may cost no more than the clock does
            known = self._refresher
            self._plan(
                read for read in _reads_of(question) if not known.needs_command(read) or known.is_due(read)
            )
            return
        task = asyncio.create_task(self._answer(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: ReadQuestion) -> None:
        try:
            async with asyncio.timeout(question.until - time.time()), self._at_once[question.is_of_lists]:
                answer = await self._find(question)
        except TimeoutError:  # nobody waits for it any more
            return
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
        asked = _reads_of(question)
        feeders = self._feeders_of(asked)
        reads = [*feeders, *asked]
        if any(read.of_config and self._refresher.gateway_tells(read) for read in reads):
            await self._edits.wait()
        await self._refresh([read for read in reads if read.feeds])  # first what others are made of
        await self._refresh([read for read in reads if not read.feeds])
        done = {read.resource for read in reads}
        self._plan(BY_RESOURCE[name] for read in reads for name in read.feeds if name not in done)
        return self._outcome(asked, feeders)

    def _feeders_of(self, asked: list[Read]) -> list[Read]:
        """Return what they are made of besides; no command is run again for what is not out of date."""
        known = self._refresher
        return [
            read
            for read in READS
            if read not in asked
            and any(one.resource in read.feeds for one in asked)
            and (not known.needs_command(read) or known.is_doubted(read) or known.is_due(read))
        ]

    def _outcome(self, asked: list[Read], feeders: list[Read]) -> ReadAnswer:
        """Say what could not be read anew: what is made of that, neither."""
        failed, reasons = [], {}
        for read in asked:
            made_of = [read, *(one for one in feeders if read.resource in one.feeds)]
            bad = [one for one in made_of if self._refresher.has_failed(one)]
            if bad:
                failed.append(read.resource)
                reasons[read.resource] = self._refresher.reason(bad[0])
        return ReadAnswer(
            data={"failed": failed, "reasons": {name: why for name, why in reasons.items() if why}}
        )

    async def _refresh(self, reads: list[Read]) -> None:
        await asyncio.gather(*(self._refresher.refresh(read, asked=True) for read in reads))

    async def _read_file(self, question: ReadQuestion) -> ReadAnswer:
        bots = self._known_bots()
        if bots is None or all(bot["id"] != question.bot for bot in bots):
            await asyncio.to_thread(self._config.refresh)
            await self._edits.wait()  # the bot may be of an edit that the gateway has not taken in yet
            await self._refresher.refresh(BY_RESOURCE[Resource.BOTS_MODELS])
            bots = self._known_bots()
        if bots is None:
            bots = await self._published_bots()
        found = await asyncio.to_thread(read_bot_file, bots, bot=str(question.bot), name=str(question.file))
        return ReadAnswer(data=found)

    def _known_bots(self) -> list[dict[str, Any]] | None:
        last = self._refresher.files().last.get(Resource.BOTS_MODELS)
        return None if last is None else list(last["bots"])

    async def _published_bots(self) -> list[dict[str, Any]]:
        """Return what a reader before us has found."""
        entry = await self._host.read_model.get(self._node, Resource.BOTS_MODELS)
        if entry is None:
            reason = self._refresher.reason(BY_RESOURCE[Resource.BOTS_MODELS])
            raise NotReportedError(self._node, Resource.BOTS_MODELS, reason=reason)
        return list(json.loads(entry.data)["bots"])


def _reads_of(question: ReadQuestion) -> list[Read]:
    return [BY_RESOURCE[Resource(name)] for name in question.resources if name in BY_RESOURCE]
