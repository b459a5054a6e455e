"""One soak from its first client to the last look: load, faults, rest, and what is there in the end."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

from chaos.caller import Caller
from chaos.chats import Chatter
from chaos.clients import Client, ListReader, LogReader, TaskPoller, keep_on
from chaos.config_judge import MOST_JUDGED, by_openclaw, evenly, judge_all
from chaos.config_sampler import BackupKeeper, ConfigSampler
from chaos.entry_writers import ModelWriter, NoteWriter, RowWriter
from chaos.facts import Facts, Window
from chaos.faults import Faults, NotThereError, is_whole, until
from chaos.finals import heal_rows, look_at_keys, open_incidents, task_rows
from chaos.keys import BOT_NAME, FILE, LATER_BOT_NAME
from chaos.samplers import GatewaySampler, JournalKeeper, ProcessSampler, Sampler
from chaos.schedule import Fault
from chaos.stage import Stage, show
from chaos.taken import looks_before, taken_back
from chaos.timeline import timeline
from chaos.writers import Operator, Writer

KNOWN_GOOD_SECONDS = 280.0  # the gateway has to be ready on the config for a minute
PLATEAU_LOOKS = 8
CALM_LOOKS = 5
SETTLE_SECONDS = 600.0  # twice the ceiling of a start
AGAIN_TRIES = 2  # a pool's connection may be one that a process that was killed has left


class Soak:
    """A run on a stage; what it sees goes into the facts."""

    def __init__(self, stage: Stage, schedule: list[Fault], facts: Facts) -> None:
        self._stage = stage
        self._schedule = schedule
        self._facts = facts
        facts.planned = len(schedule)
        home = stage.machine.home
        self._journal = JournalKeeper(home, stage.machine.folder / "journal")
        self._usage = ProcessSampler(stage, facts)
        self._config = ConfigSampler(stage.config_file, facts)
        self._backups = BackupKeeper(home, stage.machine.folder / "backups")
        self._samplers: list[Sampler] = [
            self._config, GatewaySampler(stage, facts), self._usage, self._journal, self._backups
        ]  # fmt: skip

    def run(self) -> None:
        """Run it all; the system is stopped in the end."""
        with ExitStack() as looking:
            for sampler in self._samplers:
                looking.enter_context(sampler)
            asyncio.run(self._run())
            self._stop()
        self._facts.journal = self._journal.events()
        for sampler in self._samplers:
            if sampler.problem is not None:
                self._facts.unsettled.append(f"{type(sampler).__name__}: {sampler.problem!r}")
        self._judge_configs()

    async def _run(self) -> None:
        say("waiting until there is a known-good config, which a rollback goes back to")
        await until(self._is_known_good, seconds=KNOWN_GOOD_SECONDS, what="no known-good config")
        await asyncio.to_thread(self._config.expect)
        async with self._clients() as clients:
            await self._load_and_faults(clients)
            await self._settle()
            # before anybody writes again: that would hide what was lost
            self._facts.looks.append(await look_at_keys(self._stage, self._facts))
            await self._again(clients)
        self._facts.calm = await self._stretch(CALM_LOOKS)
        self._facts.tasks = await asyncio.to_thread(task_rows, self._stage)
        self._facts.rows = await asyncio.to_thread(heal_rows, self._stage)
        self._facts.looks.append(await look_at_keys(self._stage, self._facts))
        await asyncio.to_thread(self._find_repairs)

    def _find_repairs(self) -> None:
        """Find what repairs took back, and what was there before each of them."""
        facts = self._facts
        keys = sorted({attempt.key for attempt in facts.attempts})
        backups, seen = self._backups.backups(), list(self._config.seen)
        facts.taken = taken_back(backups, seen, facts.rows, facts.blows, keys)
        facts.looks = [*looks_before(facts.taken, self._config.good(), keys), *facts.looks]

    def config_timeline(self) -> str:
        """Return what happened to `openclaw.json`, a line each."""
        return timeline(self._facts, list(self._config.seen), self._backups.backups())

    def _judge_configs(self) -> None:
        """Have OpenClaw judge what was in `openclaw.json`; the system has stopped, so it has the machine."""
        contents = self._config.written_by_others()
        chosen = evenly(contents, MOST_JUDGED)
        say(f"OpenClaw judges {len(chosen)} of {len(contents)} contents of openclaw.json")
        folder = self._stage.machine.folder / "judged"
        self._facts.config_refused = judge_all(by_openclaw(self._stage.real), chosen, folder)
        self._facts.config_contents, self._facts.config_judged = len(contents), len(chosen)

    async def _load_and_faults(self, clients: list[Client]) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(keep_on(client, stop))
            self._facts.plateau = await self._stretch(PLATEAU_LOOKS)
            try:
                await self._all_faults()
            finally:
                stop.set()
                say("the clients stop")

    async def _all_faults(self) -> None:
        faults = Faults(self._stage, self._facts)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in self._schedule:
                await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
                say(f"{time.monotonic() - began:5.0f} s  {fault}")
                group.create_task(faults.make(fault))
            await asyncio.sleep(max(0.0, began + self._facts.seconds - time.monotonic()))

    async def _stretch(self, looks: int) -> Window:
        """Return a stretch of time in which all processes were looked at so often."""
        began, first = time.time(), self._usage.looks
        await until(lambda: self._usage.looks >= first + looks, seconds=SETTLE_SECONDS, what="no look")
        return Window(began, time.time())

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[list[Client]]:
        callers: list[Caller] = []

        def caller(kind: str) -> Caller:
            callers.append(Caller(kind, self._stage.buddy.url, self._stage.buddy.token, self._facts))
            return callers[-1]

        try:
            yield list(_clients(caller))
        finally:
            for one in callers:
                await one.close()

    async def _settle(self) -> None:
        """Wait until all has come to rest; what does not, in time, is told."""
        say("waiting for rest")
        conditions: dict[str, Callable[[], bool]] = {
            "the api is not ready": self._stage.buddy.is_ready,
            "the gateway is not ready": self._gateway_is_ready,
            "openclaw.json is not whole": lambda: is_whole(self._stage.config_file.read_bytes()),
            "a task has not ended": lambda: all(task.is_final for task in task_rows(self._stage)),
            "an incident is open": lambda: not open_incidents(self._stage),
            "a heal event is not in the database": self._is_brought,
            "a process is unknown": lambda: not self._stage.strangers(),
            "up.json names other processes than those that run": self._is_written_down,
        }
        deadline = time.monotonic() + SETTLE_SECONDS
        for problem, condition in conditions.items():
            left = max(5.0, deadline - time.monotonic())
            try:
                await until(_without_errors(condition), seconds=left, what=problem)
            except NotThereError as exc:
                self._facts.unsettled.append(f"{exc}")
        self._facts.strangers |= set(await asyncio.to_thread(self._stage.strangers))

    async def _again(self, clients: list[Client]) -> None:
        """Let each kind of client do what it does once more; each of them counts."""
        for client in clients:
            problem = None
            for _ in range(AGAIN_TRIES):
                problem = await client.once()
                if problem is None:
                    break
            self._facts.works_again[client.caller.kind] = problem

    def _is_known_good(self) -> bool:
        found = self._stage.buddy.get("/v1/heal/backups", limit="100").json()["data"]
        good = [row["hash"] for row in found["backups"] if row["reason"] == "known good"]
        return found["current"]["hash"] in good

    def _gateway_is_ready(self) -> bool:
        return self._stage.buddy.status()["ready"] is True

    def _is_brought(self) -> bool:
        return {event.id for event in self._journal.events()} <= {row.id for row in heal_rows(self._stage)}

    def _is_written_down(self) -> bool:
        running = {name: process.pid for name, process in self._stage.parts().items()}
        return {**self._stage.buddy.children, **_apart(running)} == running

    def _stop(self) -> None:
        """Stop the gateway, then Buddy; whatever runs after that is left over."""
        say("stopping")
        task = self._stage.buddy.finish("/v1/gateway/stop")
        if task["status"] != "Completed":
            self._facts.left.append(f"the gateway's stop: {task['status']}: {task['error']}")
        if not self._stage.buddy.stop():
            self._facts.left.append("buddy up had to be killed")
        self._facts.left += [show(process) for process in self._stage.running()]


def say(text: str) -> None:
    """Tell whoever watches the run how far it is."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stdout.flush()


def _clients(caller: Callable[[str], Caller]) -> Iterator[Client]:
    openclaw = "/v1/openclaw"
    yield ListReader(caller("reader of lists"))
    yield TaskPoller(caller("poller of tasks"))
    yield LogReader(caller("reader of Buddy's log"), "buddy")
    yield LogReader(caller("reader of the gateway's log"), "gateway")
    yield Writer(caller("writer of a bot"), BOT_NAME, f"{openclaw}/bots/set-identity")
    yield Writer(
        caller("writer of a bot, later"), LATER_BOT_NAME, f"{openclaw}/bots/set-identity", later=True
    )
    yield Writer(caller("writer of a file"), FILE, f"{openclaw}/bots/file")
    yield ModelWriter(caller("writer of models"))
    yield NoteWriter(caller("writer of files"))
    yield RowWriter(caller("writer of rows"))
    yield Operator(caller("operator"))
    yield Chatter(caller("chat"), streamed=False)
    yield Chatter(caller("streamed chat"), streamed=True)


def _apart(running: dict[str, int]) -> dict[str, int]:
    """Return what is no child of `buddy up`."""
    return {name: pid for name, pid in running.items() if name in ("supervisor", "gateway")}


def _without_errors(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Return a condition that is not met as long as nothing answers."""

    def is_met() -> bool:
        try:
            return condition()
        except (OSError, RuntimeError, LookupError, ValueError):
            return False

    return is_met
