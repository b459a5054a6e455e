"""The watchdog's loop: look, judge, heal, publish, and look again at once when something happens."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.errors import BrokerUnavailableError, StateUnwritableError
from buddy_common.schemas.gateway import Desired, GatewaySnapshot, GatewayState
from buddy_common.schemas.healing import HealthCheck, SelfHealing
from buddy_common.schemas.verdicts import Verdict
from buddy_common.usecases.publish_node import publish_gateway, publish_system
from buddy_watchdog.chronicle import Chronicle
from buddy_watchdog.config_look import ConfigLooker
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.gather import Gatherer
from buddy_watchdog.healer import Healer
from buddy_watchdog.healing import FINE, UP, Phase, Rules
from buddy_watchdog.held_socket import HeldSocket
from buddy_watchdog.incidents import wall_clock
from buddy_watchdog.kept_out import kept_out
from buddy_watchdog.known_good import READY_SECONDS, KnownGood
from buddy_watchdog.memory import Memory, remember, with_the_past
from buddy_watchdog.process_end import wait_for_end, wait_for_freeze
from buddy_watchdog.state_file import StateFile
from buddy_watchdog.verdict import Finding, judge

log = structlog.get_logger(__name__)

DOUBT_SECONDS = 1.0
# a look may take its probe's 5 s and a slow disk; more than this and the loop is stuck
STUCK_SECONDS = 60.0
# events come in groups; a look costs 20 ms
BREATH_SECONDS = 0.1
_SETTLED = FINE | {Verdict.STOPPED, Verdict.NOT_INSTALLED, Verdict.CONFIG_BROKEN}
_STATES = {
    Verdict.STARTING: GatewayState.STARTING,
    Verdict.DEGRADED: GatewayState.DEGRADED,
    Verdict.CONFIG_BROKEN: GatewayState.DEGRADED,
    Verdict.HUNG: GatewayState.HUNG,
    Verdict.CRASHED: GatewayState.CRASHED,
    Verdict.CRASH_LOOP: GatewayState.CRASHED,
    Verdict.OUT_OF_MEMORY: GatewayState.CRASHED,
    Verdict.PORT_TAKEN: GatewayState.CRASHED,
    Verdict.CONFIG_ERROR: GatewayState.CONFIG_ERROR,
}


class Diary(Chronicle, Protocol):
    """Where the looks are written down, too, and what the operator wants of the watchdog."""

    async def check(self, check: HealthCheck) -> None:
        """Keep a look for a month."""
        ...

    async def wishes(self) -> SelfHealing:
        """Return what the operator wants."""
        ...

    async def publish(self, healer: Healer, store: Quarantine, wishes: SelfHealing) -> None:
        """Show what the watchdog is about; raises BrokerUnavailableError."""
        ...

    async def run_forever(self) -> None:
        """Bring what was kept on disk into the database, as often as it can be reached."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class Watch(Protocol):
    """Something beside the gateway that is watched, too."""

    async def run_forever(self) -> None:
        """Watch it until cancelled; never raises."""
        ...


class Runner:
    """Looks at one gateway for ever; a broker or a database that is gone is a log line, never the end."""

    def __init__(
        self,
        host: HostPlane,
        *,
        interval_seconds: float,
        diary: Diary,
        store: Quarantine,
        file: StateFile,
        rules: Rules,
        beside: Sequence[Watch] = (),
        clock: Callable[[], datetime] = wall_clock,
    ) -> None:
        """`beside`: what is watched together with the gateway; `clock`: what people see."""
        self._clock = clock
        self._host = host
        self._interval = interval_seconds
        self._diary = diary
        self._beside = beside
        self._store = store
        self._rules = rules
        self._looked_at = time.monotonic()
        self._news = asyncio.Event()
        self._config = ConfigLooker(host.gateway_settings.config_file)
        self._socket = HeldSocket(host, lambda: self._config.config, on_news=self._news.set)
        self._gatherer = Gatherer(host, config=self._config, socket=self._socket)
        self._good = KnownGood(host.history, host.live_config)
        self._memory = Memory()
        self._up_since: float | None = None
        self._checked: tuple[float, Verdict | None] = (0.0, None)
        self._healer = Healer(
            host,
            chronicle=diary,
            file=file,
            store=store,
            look=self._look_again,
            wake=self._news.set,
            rules=rules,
            clock=clock,
        )

    @property
    def is_alive(self) -> bool:
        """Whether the loop has come round lately."""
        return time.monotonic() - self._looked_at < self._interval + STUCK_SECONDS

    async def run_forever(self) -> None:
        """Look every interval, every second while the gateway is in doubt, at once when something happens."""
        await self._healer.load()
        self._memory = self._healer.memory
        async with asyncio.TaskGroup() as group:
            group.create_task(self._socket.run_forever())
            group.create_task(self._diary.run_forever())
            for watch in self._beside:
                group.create_task(watch.run_forever())
            group.create_task(self._look_forever())

    async def close(self) -> None:
        """Let go of the connections, and of a repair that is under way; its gateway lives on."""
        await self._healer.close()
        await self._diary.close()
        await self._host.close()

    async def _look_forever(self) -> None:
        while True:
            self._news.clear()
            evidence = finding = None
            try:
                evidence, finding = await self._look()
            except Exception:  # the outermost loop: a watchdog that dies of a bug helps nobody
                log.exception("look_failed")
            self._looked_at = time.monotonic()
            await self._pause(evidence, finding)

    async def _look(self) -> tuple[Evidence, Finding]:
        evidence = await self._gather()
        self._memory = remember(self._memory, evidence)
        evidence = with_the_past(evidence, self._memory)
        ceiling = self._rules.start_ceiling_seconds
        finding = judge(evidence, self._memory, start_ceiling_seconds=ceiling)
        await self._healer.note(self._memory)
        wishes = await self._diary.wishes()
        await self._healer.consider(evidence, finding, wishes)
        await self._adopt(evidence, finding)
        await self._good.consider(evidence, finding.verdict)
        await self._write_check(evidence, finding)
        await self._publish(evidence, finding, wishes)
        return evidence, finding

    async def _gather(self) -> Evidence:
        out = await asyncio.to_thread(kept_out, self._store, self._config, self._host.locks)
        return await self._gatherer.look(repairing=self._healer.repairing, quarantined=out)

    async def _look_again(self) -> Evidence:
        """Look after a repair; the next round takes it in."""
        evidence = await self._gather()
        return with_the_past(evidence, remember(self._memory, evidence))

    async def _adopt(self, evidence: Evidence, finding: Finding) -> None:
        """A gateway that was up before anybody asked Buddy for it is wanted: its end would be a crash."""
        if finding.verdict not in UP or evidence.snapshot.desired is not None:
            self._up_since = None
            return
        self._up_since = evidence.at if self._up_since is None else self._up_since
        if evidence.at - self._up_since < READY_SECONDS:
            return
        try:
            await self._host.state.set_desired(Desired.RUNNING)
        except StateUnwritableError as exc:
            log.warning("gateway_not_adopted", reason=exc.message)
        else:
            log.info("gateway_adopted", process=str(evidence.process))

    async def _write_check(self, evidence: Evidence, finding: Finding) -> None:
        at, verdict = self._checked
        if verdict is finding.verdict and evidence.at - at < self._interval * 0.9:
            return
        self._checked = (evidence.at, finding.verdict)
        snapshot, probe = evidence.snapshot, evidence.snapshot.probe
        await self._diary.check(
            HealthCheck(
                id=uuid.uuid4().hex,
                node=self._host.node,
                at=self._clock(),
                state=_shown(snapshot, finding).state,
                verdict=finding.verdict,
                response_time_ms=probe.latency_ms,
                event_loop_ms=probe.event_loop_delay_p99_ms,
                cpu_percent=snapshot.cpu_percent,
                rss_bytes=snapshot.rss_bytes,
                disk_percent=snapshot.disk_percent,
            )
        )

    async def _publish(self, evidence: Evidence, finding: Finding, wishes: SelfHealing) -> None:
        host, snapshot = self._host, _shown(evidence.snapshot, finding)
        fresh = host.fresh_seconds
        try:
            await publish_gateway(host.read_model, snapshot, host.openclaw, fresh_seconds=fresh)
            await publish_system(host.read_model, snapshot, host.system, fresh_seconds=fresh)
            await self._diary.publish(self._healer, self._store, wishes)
        except BrokerUnavailableError as exc:  # the watching goes on without it
            log.warning("read_model_unavailable", reason=exc.message)

    async def _pause(self, evidence: Evidence | None, finding: Finding | None) -> None:
        """Wait for the next look, the process to end or freeze, or news of the socket or of a repair."""
        settled = finding is not None and (
            finding.verdict in _SETTLED or self._healer.state.phase is Phase.OPEN
        )
        process = evidence.process if evidence is not None else None
        seconds = self._interval
        if not settled or self._healer.repairing:
            seconds = min(seconds, DOUBT_SECONDS)
        elif evidence is not None and process is not None and not evidence.socket.connected:
            seconds /= 2  # no ping tells of a hang: a probe has to, in time
        waits = [asyncio.create_task(_is_set(self._news))]
        if process is not None:
            waits.append(asyncio.create_task(wait_for_end(process.pid, seconds=seconds)))
        if evidence is not None and process is not None and not evidence.frozen:
            waits.append(asyncio.create_task(wait_for_freeze(process.pid)))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self._news.is_set():
            await asyncio.sleep(BREATH_SECONDS)


async def _is_set(event: asyncio.Event) -> bool:
    await event.wait()
    return True


def _shown(snapshot: GatewaySnapshot, finding: Finding) -> GatewaySnapshot:
    """Return the snapshot with the verdict, and the state that goes with it."""
    state = _STATES.get(finding.verdict, snapshot.state)
    return snapshot.model_copy(update={"verdict": finding.verdict, "reason": finding.reason, "state": state})
