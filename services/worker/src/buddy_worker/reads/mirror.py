"""The node's reader: one worker process holds the connection to the gateway and fills the read model."""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

import structlog

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_common.adapters.gateway_device import GatewayDevice
from buddy_common.adapters.gateway_link import GatewayLink
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.adapters.transcripts import TranscriptCounter
from buddy_common.errors import (
    BrokerUnavailableError,
    BuddyError,
    StateUnwritableError,
)
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.resources import Resource
from buddy_common.usecases.gateway_place import gateway_place
from buddy_worker.reads.answers import Answers
from buddy_worker.reads.capabilities import capabilities_of
from buddy_worker.reads.commands import CliCommands
from buddy_worker.reads.known import to_json
from buddy_worker.reads.loops import never_ending
from buddy_worker.reads.refresher import Refresher
from buddy_worker.reads.sources import is_new_generation
from buddy_worker.reads.table import BY_RESOURCE, READS, Read
from buddy_worker.reads.taken_in import EditsTakenIn
from buddy_worker.reads.top import KEEP_DAYS
from buddy_worker.wiring import Wiring

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5  # at the config, and whether the broker has forgotten us
LEAD_SECONDS = 2.0  # between attempts to become the reader
BEAT_SECONDS = 3.0  # without our word the lists count as stale
# an event is followed by others of the same change; a read never takes more than a twentieth of the time
SETTLE_SECONDS = 0.25
COST_FACTOR = 20
# so long a gateway that has just come may take for all lists; one that takes longer holds up no other
FIRST_READ_SECONDS = 10.0
# after these, what was read before is no longer true; others only say that there is something more
CHANGE_EVENTS = frozenset({"plugins.changed", "skills.changed"})
# the newer gateway tells when it has taken an edit in, if that makes a difference to it at all; the older one
# never tells, and has it by then
TELLS_SECONDS = 8.0
TAKES_SECONDS = 4.0
EARLY_SECONDS = 1.5  # it often has it by then


class Mirror:
    """Runs in every worker of the fast lane; the one that holds the lock is the reader."""

    def __init__(self, w: Wiring) -> None:
        host = w.host
        self._w = w
        self._node = w.node
        self._config = WatchedConfig(host.gateway_settings.config_file)
        self._link = GatewayLink(self._where, on_event=self._on_event, on_change=self._on_change)
        self._edits = EditsTakenIn(self._config, seconds=self._taking_in_seconds)
        self._changed = asyncio.Event()
        self._planned: set[Resource] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen_version = 0
        self._told_at = 0.0
        self._said_up = False
        self._tells_edits = False  # whether this gateway has ever told of an edit
        self._refresher = Refresher(
            self._node,
            link=self._link,
            config=self._config,
            edits=self._edits,
            commands=CliCommands(host.cli, host.openclaw),
            transcripts=TranscriptCounter(host.gateway_settings.config_dir / "agents", keep_days=KEEP_DAYS),
            read_model=host.read_model,
        )
        self._answers = Answers(
            self._node,
            RefreshRequests(w.redis),
            refresher=self._refresher,
            config=self._config,
            edits=self._edits,
            plan=self._plan,
            publish_capabilities=self._publish_capabilities,
            host=host,
        )

    async def run_forever(self) -> None:
        """Become the reader as soon as no other worker of the node is, and stay it."""
        while True:
            try:
                await self._lead_if_free()
            except StateUnwritableError as exc:
                log.warning("reader_lock_unusable", reason=exc.message)
            except Exception:  # the outermost loop: a reader that dies of a bug leaves every list behind
                log.exception("reader_crashed")
            await asyncio.sleep(LEAD_SECONDS)

    async def _lead_if_free(self) -> None:
        held = await asyncio.to_thread(self._w.host.locks.try_hold, {NodeLock.READER})
        if held is None:
            return
        log.info("reader_begins")
        self._changed.set()
        try:
            await asyncio.to_thread(self._config.refresh)  # nothing is read before that is known
            async with asyncio.TaskGroup() as group:
                for work in (
                    self._link.run_forever,
                    self._follow_link,
                    self._look_forever,
                    self._beat_forever,
                    self._answers.run_forever,
                ):
                    group.create_task(never_ending(work))
        finally:
            await self._end()
            held.release()

    async def _end(self) -> None:
        """Leave nothing that reads or publishes behind, and say that nobody does any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._answers.close()
        await self._refresher.close()
        self._planned.clear()
        self._said_up = False
        with suppress(BrokerUnavailableError):
            await self._w.host.read_model.set_link(self._node, up=False)

    async def _where(self) -> tuple[int, str | None, GatewayDevice]:
        """Return port, token and our key; the token is for the gateway only, never for who else listens."""
        await asyncio.to_thread(self._config.refresh)
        return await gateway_place(self._w.host, self._config.config)

    def _on_event(self, name: str, _payload: dict[str, Any]) -> None:
        reads = [read for read in READS if name in read.events]
        if name == "config.changed":
            self._tells_edits = True
            self._spawn(self._edit_was_taken_in(reads))
            return
        if name in CHANGE_EVENTS:
            self._spawn(self._doubt(reads))
        self._plan(reads)

    async def _edit_was_taken_in(self, reads: list[Read]) -> None:
        await asyncio.to_thread(self._config.refresh)  # it may tell sooner than we look
        self._edits.tell()
        await self._doubt(reads)
        self._plan(reads)

    def _on_change(self) -> None:
        self._edits.tell()  # one that begins has read the file
        self._changed.set()

    def _taking_in_seconds(self) -> float:
        if self._link.hello is None:
            return 0.0
        return TELLS_SECONDS if self._tells_edits or is_new_generation(self._link) else TAKES_SECONDS

    async def _follow_link(self) -> None:
        """Read everything anew when the gateway is there, and say at once when it is not."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._link.hello is None:
                await self._say_linked(up=False)
                self._spawn(self._refresh(READS))  # nothing may hold up the news that the gateway is back
                continue
            with suppress(BuddyError):  # without the subscription, only the clock tells of new sessions
                await self._link.call("sessions.subscribe")
            behind_command = [read for read in READS if self._refresher.runs_command(read)]
            await self._doubt(behind_command)
            later = behind_command + [read for read in READS if self._refresher.needs_command(read)]
            await self._read_at_first([read for read in READS if read not in later])
            if self._link.hello is not None:
                await self._say_linked(up=True)
            self._plan(later)

    async def _read_at_first(self, reads: Iterable[Read]) -> None:
        """Read them; what is not there in time goes on being read, and counts as out of date until then."""
        reads = list(reads)
        await self._doubt(reads)  # before they are read: whatever is read by then is out of date no more
        done, _ = await asyncio.wait(
            [self._spawn(self._refresher.refresh(read)) for read in reads], timeout=FIRST_READ_SECONDS
        )
        for task in done:
            task.result()

    async def _say_linked(self, *, up: bool) -> None:
        self._said_up = up
        try:
            await self._w.host.read_model.set_link(self._node, up=up)
            await self._publish_capabilities()
        except BrokerUnavailableError as exc:
            self._refresher.behind = True
            log.warning("read_model_unavailable", reason=exc.message)

    async def _publish_capabilities(self) -> None:
        self._told_at = time.monotonic()
        install = await self._w.host.openclaw.inspect()
        value = capabilities_of(
            self._link.hello, version=install.version, problem=install.problem or self._link.problem.message
        )
        await self._w.host.read_model.put(
            self._node, Resource.CAPABILITIES, to_json(value), source="rpc" if self._link.hello else "file",
            fresh_seconds=READS[0].fresh_seconds, of_gateway=True,
        )  # fmt: skip

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self._config.refresh)
            if self._config.version != self._seen_version:
                self._seen_version = self._config.version
                self._take_edit_in()
            self._plan(read for read in READS if self._refresher.is_due(read))
            await self._catch_up()
            if time.monotonic() - self._told_at > READS[0].seconds:
                with suppress(BrokerUnavailableError):
                    await self._publish_capabilities()

    async def _beat_forever(self) -> None:
        """Say again and again that we hold the connection; nothing else may hold this up."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(BrokerUnavailableError):  # which `_look_forever` notices
                up = self._said_up and self._link.hello is not None
                await self._w.host.read_model.set_link(self._node, up=up)

    def _take_edit_in(self) -> None:
        reads = [read for read in READS if read.of_config]
        self._spawn(self._doubt(reads))
        self._plan(reads)
        if self._edits.are_awaited:
            told = [read for read in reads if self._refresher.gateway_tells(read)]
            self._spawn(self._refresh_later(told, EARLY_SECONDS))
            self._spawn(self._read_when_taken_in(told))

    async def _read_when_taken_in(self, reads: Iterable[Read]) -> None:
        await self._edits.wait()
        self._plan(reads)

    async def _doubt(self, reads: Iterable[Read]) -> None:
        for read in reads:
            await self._refresher.doubt(read)

    async def _catch_up(self) -> None:
        """Fill the read model again when the broker was away, or has forgotten it."""
        try:
            # one of them is no sign of the rest: it may just have been read when the broker forgot
            wanted = {*self._refresher.known, Resource.CAPABILITIES}
            whole = await self._w.host.read_model.has_all(self._node, wanted)
            if not whole or self._refresher.behind:
                await self._refresher.publish_again()
                await self._say_linked(up=self._said_up and self._link.hello is not None)
        except BrokerUnavailableError:
            self._refresher.behind = True

    def _plan(self, reads: Iterable[Read]) -> None:
        """Read them soon; what is planned already is not planned again."""
        for read in reads:
            if read.resource not in self._planned:
                self._planned.add(read.resource)
                of_files = read.files is not None and (read.gateway is None or self._link.hello is None)
                cost = 0.0 if of_files else COST_FACTOR * self._refresher.cost_seconds(read)
                seconds = max(SETTLE_SECONDS, min(cost, read.seconds))
                self._spawn(self._planned_refresh(read, seconds))

    async def _planned_refresh(self, read: Read, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._planned.discard(read.resource)
        await self._refresher.refresh(read)
        self._plan(BY_RESOURCE[resource] for resource in read.feeds)

    async def _refresh_later(self, reads: Iterable[Read], seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._refresh(reads)

    async def _refresh(self, reads: Iterable[Read], *, asked: bool = False) -> None:
        await asyncio.gather(*(self._refresher.refresh(read, asked=asked) for read in reads))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
