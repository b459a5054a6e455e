"""Reads one resource at a time once, however many ask, and publishes what came of it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import structlog

from buddy_common.adapters.config_watch import WatchedConfig
from buddy_common.adapters.gateway_link import GatewayLink
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.transcripts import TranscriptCounter
from buddy_common.errors import BrokerUnavailableError, BuddyError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads.commands import CliCommands
from buddy_worker.reads.known import Known, to_json
from buddy_worker.reads.sources import Files, ToldWorkspaces
from buddy_worker.reads.table import BY_RESOURCE, FromCommand, Read
from buddy_worker.reads.taken_in import EditsTakenIn

log = structlog.get_logger(__name__)

# a command costs seconds of CPU: it is run when somebody waits, after a change, and rarely besides
COMMAND_EVERY_SECONDS = 900.0
# a gateway that starts needs the processor itself, and tells more when it is up
PATIENCE_SECONDS = 30.0
# after a reading that failed: doubled each time; a command that fails must not become a loop
TRY_AGAIN_SECONDS = 5.0
COMMAND_TRY_AGAIN_SECONDS = 60.0
RPC, CLI, FILE = "rpc", "cli", "file"


class Refresher:
    """The resources of one node."""

    def __init__(
        self,
        node: str,
        *,
        link: GatewayLink,
        config: WatchedConfig,
        edits: EditsTakenIn,
        commands: CliCommands,
        transcripts: TranscriptCounter,
        read_model: ReadModel,
    ) -> None:
        self._node = node
        self._link = link
        self._config = config
        self._edits = edits
        self._commands = commands
        self._transcripts = transcripts
        self._read_model = read_model
        self._known: dict[Resource, Known] = {}
        self._last: dict[str, Any] = {}
        self._workspaces = ToldWorkspaces()
        self._running: dict[Resource, asyncio.Task[None]] = {}
        self._running_command: set[Resource] = set()
        self._next: dict[Resource, asyncio.Task[None]] = {}
        self._next_asked: set[Resource] = set()  # somebody waits for the truth there
        self._failures: dict[Resource, int] = {}
        self._reasons: dict[Resource, str] = {}  # of the last failure
        self._tried_at: dict[Resource, float] = {}  # when the last reading ended
        self._doubted: set[Resource] = set()
        self._publishing: defaultdict[Resource, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._alone_since = time.monotonic()
        self.behind = False  # the broker did not take something

    @property
    def known(self) -> Collection[Resource]:
        """What has been read."""
        return self._known.keys()

    def files(self) -> Files:
        """Return what the state folder holds, as far as it could be read."""
        return Files(
            self._config.folder, self._config.config, self._transcripts, self._last, self._workspaces
        )

    def is_due(self, read: Read) -> bool:
        """Whether it is time to read it again."""
        now, known = time.monotonic(), self._known.get(read.resource)
        if read.resource in self._running or now - self._tried_at.get(read.resource, 0.0) < self._pause(read):
            return False
        seconds = COMMAND_EVERY_SECONDS if known is not None and known.source == CLI else read.seconds
        return known is None or now - known.read_at > seconds

    def _pause(self, read: Read) -> float:
        """Return how long to leave it alone after the last reading, in seconds."""
        first = COMMAND_TRY_AGAIN_SECONDS if self.needs_command(read) else TRY_AGAIN_SECONDS
        failures = self._failures.get(read.resource, 0)
        return (
            min(COMMAND_EVERY_SECONDS, first * 2.0 ** min(failures - 1, 8)) if failures else TRY_AGAIN_SECONDS
        )

    def has_failed(self, read: Read) -> bool:
        """Whether the last reading failed."""
        return read.resource in self._failures

    def reason(self, read: Read) -> str:
        """Return why the last reading failed, "" where it did not, or nobody can mend it."""
        return self._reasons.get(read.resource, "") if self.has_failed(read) else ""

    async def doubt(self, read: Read) -> None:
        """Say that it is out of date until it has been read again; also of what a reader before us read."""
        if read.resource not in self._doubted:
            self._doubted.add(read.resource)
            try:
                async with self._publishing[read.resource]:
                    if read.resource in self._doubted:  # else it was read again meanwhile
                        await self._read_model.doubt(self._node, read.resource)
            except BrokerUnavailableError:
                self.behind = True

    def is_doubted(self, read: Read) -> bool:
        """Whether it is known to be out of date."""
        return read.resource in self._doubted

    async def close(self) -> None:
        """End what is being read."""
        tasks = [*self._next.values(), *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._next.clear()  # one that was cancelled before it began is no reading to wait for
        self._next_asked.clear()

    def needs_command(self, read: Read) -> bool:
        """Whether only a command can tell, which takes seconds."""
        return read.command is not None and not self.gateway_tells(read)

    def gateway_tells(self, read: Read) -> bool:
        """Whether the gateway that is connected is asked for it."""
        return read.gateway is not None and all(self._link.has(method) for method in read.methods)

    def runs_command(self, read: Read) -> bool:
        """Whether a command is running for it, behind which the next reading would wait."""
        return read.resource in self._running_command

    def cost_seconds(self, read: Read) -> float:
        """Return how long it takes; the first time, when OpenClaw loads what it needs, does not count."""
        known = self._known.get(read.resource)
        return min(known.seconds, known.seconds_before) if known is not None else 0.0

    async def refresh(self, read: Read, *, asked: bool = False) -> None:
        """Read it from now on: whoever asks while a reading runs waits for the one after it.

        `asked`: somebody waits for the truth, so that even a command is worth its price.
        """
        resource = read.resource
        waiting = self._next.get(resource)  # it has not begun, even where the one before it has just ended
        if waiting is None:
            running = self._running.get(resource)
            if running is None:
                await asyncio.shield(self._start(read, asked=asked))
                return
            waiting = self._next[resource] = asyncio.create_task(self._after(running, read))
        if asked:
            self._next_asked.add(resource)
        await asyncio.shield(waiting)

    async def publish_again(self) -> None:
        """Publish all that is known: the broker has forgotten it.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        self.behind = False  # whatever gets lost meanwhile says so again
        try:
            for resource in list(self._known):  # what is known by then: it may be read anew meanwhile
                await self._publish(BY_RESOURCE[resource])
        except BrokerUnavailableError:
            self.behind = True
            raise

    def _start(self, read: Read, *, asked: bool) -> asyncio.Task[None]:
        task = asyncio.create_task(self._read(read, asked=asked))
        self._running[read.resource] = task
        task.add_done_callback(lambda _: self._running.pop(read.resource, None))
        return task

    async def _after(self, running: asyncio.Task[None], read: Read) -> None:
        await asyncio.wait([running])
        self._next.pop(read.resource, None)
        asked = read.resource in self._next_asked
        self._next_asked.discard(read.resource)
        await self._start(read, asked=asked)

    async def _read(self, read: Read, *, asked: bool) -> None:
        try:
            if await self._read_and_publish(read, asked=asked):
                self._failures.pop(read.resource, None)
                self._reasons.pop(read.resource, None)
                return
        finally:
            self._tried_at[read.resource] = time.monotonic()
        self._failures[read.resource] = self._failures.get(read.resource, 0) + 1
        await self.doubt(read)

    async def _read_and_publish(self, read: Read, *, asked: bool) -> bool:
        """Read once; False when that failed."""
        began, awaited = time.monotonic(), self._edits.are_awaited
        config = self._config.config
        if self._link.hello is not None:
            self._alone_since = began
        try:
            self._check_config(read)
            found = await (self._of_gateway(read) if self._link.hello else self._alone(read, asked=asked))
        except BuddyError as exc:
            log.warning("read_failed", resource=read.resource, error=exc.error, reason=exc.message)
            self._reasons[read.resource] = exc.message
            return False
        except Exception:  # an answer of a shape that nobody has seen yet must not end the other reads
            log.exception("read_crashed", resource=read.resource)
            self._reasons.pop(read.resource, None)
            return False
        if found is None:
            return True
        value, source = found
        self._last[read.resource] = value
        text = await asyncio.to_thread(to_json, value)
        ended = time.monotonic()
        last = self._known[read.resource].seconds if read.resource in self._known else 0.0
        self._known[read.resource] = Known(text, source, ended, time.time(), ended - began, last, config)
        # of a gateway that may not know of the edit yet; or the edit came meanwhile
        before = source == RPC and (awaited or self._edits.are_awaited)
        if read.of_config and (before or config is not self._config.config):
            self._doubted.add(read.resource)
        else:
            self._doubted.discard(read.resource)
        await self._publish_if_possible(read)
        return True

    async def _publish_if_possible(self, read: Read) -> None:
        try:
            await self._publish(read)
        except BrokerUnavailableError as exc:
            self.behind = True
            log.warning("read_not_published", resource=read.resource, reason=exc.message)

    def _check_config(self, read: Read) -> None:
        """Fail where the config was never read: what is made of none would replace what was known."""
        if read.of_config and not self._config.known and self._config.problem is not None:
            raise self._config.problem

    async def _of_gateway(self, read: Read) -> tuple[Any, str] | None:
        """Read while there is a connection: what the gateway does not tell, the command does."""
        files = self.files()
        if read.gateway is not None and self.gateway_tells(read):
            return await read.gateway(self._link, files), RPC
        if read.command is not None:
            return await self._by_command(read.resource, read.command), CLI
        return None if read.files is None else (await asyncio.to_thread(read.files, files), FILE)

    async def _alone(self, read: Read, *, asked: bool) -> tuple[Any, str] | None:
        """Read without the gateway: what it said last holds until the config is another one."""
        files, known = self.files(), self._known.get(read.resource)
        holds = read.gateway is not None and not read.live and not asked
        if holds and known is not None and known.of_config == files.config:
            return None
        if read.files is not None:
            return await asyncio.to_thread(read.files, files), FILE
        waited = time.monotonic() - self._alone_since > PATIENCE_SECONDS
        if read.command is not None and (asked or (known is None and waited)):
            return await self._by_command(read.resource, read.command), CLI
        return None

    async def _by_command(self, resource: Resource, command: FromCommand) -> Any:
        self._running_command.add(resource)
        try:
            return await command(self._commands, self.files())
        finally:
            self._running_command.discard(resource)

    async def _publish(self, read: Read) -> None:
        async with self._publishing[read.resource]:  # so that the broker never gets the older one last
            known = self._known[read.resource]
            await self._read_model.put(
                self._node,
                read.resource,
                known.text,
                source=known.source,
                fresh_seconds=3 * COMMAND_EVERY_SECONDS if known.source == CLI else read.fresh_seconds,
                of_gateway=True,
                updated_at=known.updated_at,
                doubtful=read.resource in self._doubted,
            )
