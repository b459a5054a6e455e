"""What a verdict needs to know of the looks before: pure, so that every course of events can be tested."""

from dataclasses import dataclass, field, replace

from buddy_common.schemas.gateway import Desired, GatewayOwner
from buddy_common.schemas.processes import ProcessIdentity
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.growth import Growth, remember_size
from buddy_watchdog.starts import Starts, remember_start

DEATHS_SECONDS = 600.0  # deaths that lie further back make no loop
# an idle Node.js wakes up now and then; a start that gets anywhere uses more
PROGRESS_CPU_SECONDS = 0.05
# p99 of the event loop; a gateway under load was at 20 to 60 ms, one that answers nobody at seconds
SLOW_LOOP_MS = 1000.0
# how much of its age a start is charged with that began before we looked: it may be one inside its process
MOST_CREDIT_SECONDS = 300.0
# in doubt there is a look each second, which may take 8 s; in a longer gap the machine slept, or we did
MOST_GAP_SECONDS = 15.0
# nobody records their ends: an exit that is on record is that of another
_UNRECORDED = frozenset({GatewayOwner.PLAIN, GatewayOwner.CONTAINER})


@dataclass(frozen=True)
class Memory:
    """Of the gateway's process: since when, when it last answered, when it last got anywhere."""

    process: ProcessIdentity | None = None
    # before a repair that goes on: its end is the repair's own doing, that of one it has started is not
    unrepaired: ProcessIdentity | None = None
    owner: GatewayOwner | None = None  # of the last process that there was
    # of the gateway that is gone: the container that starts it is another one than it had
    container_is_new: bool = True
    up: ProcessIdentity | None = None  # the process that has once said that it is started
    answered_at: float | None = None  # or since when it has had to
    watched_since: float | None = None  # we have begun to look
    looked_at: float | None = None
    starting_for: float = 0.0  # in seconds in which the machine has let it run
    starved_seconds: float = 0.0  # of the look before
    starved_at_answer: float = 0.0  # of the look that knew of the last answer
    starts: Starts = field(default_factory=Starts)
    growth: Growth = field(default_factory=Growth)  # of its resident memory
    moved_at: float = 0.0
    marks: tuple[float, int, tuple[str, ...]] = (0.0, 0, ())
    gone_since: float | None = None
    slow_since: float | None = None
    deaths: tuple[float, ...] = ()
    oom_kills: int | None = None  # before the process went
    was_oom: bool = False
    said_restart: bool = False  # and it can be on its way


def remember(memory: Memory, evidence: Evidence) -> Memory:
    """Return what is known after this look."""
    at, probe = evidence.at, evidence.snapshot.probe
    same = evidence.process is not None and evidence.process == memory.process
    died = memory.process is not None and not same
    starting_for = _starting_for(memory, evidence, same=same)
    memory = _gone(memory, evidence, died=died)
    marks, moved_at = _progress(memory, evidence, same=same)
    delay = probe.event_loop_delay_p99_ms
    slow = probe.live and delay is not None and delay > SLOW_LOOP_MS
    answered_at = at if probe.live else _last_answer(memory, evidence, same=same)
    starved_at_answer = (
        memory.starved_at_answer if answered_at == memory.answered_at else evidence.starved_seconds
    )
    return replace(
        memory,
        process=evidence.process,
        unrepaired=memory.unrepaired if evidence.repairing else evidence.process,
        container_is_new=_container_is_new(memory, evidence),
        owner=evidence.snapshot.owner or memory.owner,
        starts=remember_start(memory.starts, evidence),
        growth=remember_size(memory.growth, evidence),
        up=_up(memory, evidence, same=same),
        looked_at=at,
        starting_for=starting_for,
        starved_seconds=evidence.starved_seconds,
        answered_at=answered_at,
        starved_at_answer=starved_at_answer,
        marks=marks,
        moved_at=moved_at,
        slow_since=_since(memory.slow_since, at) if slow else None,
    )


def with_the_past(evidence: Evidence, memory: Memory) -> Evidence:
    """Return the evidence together with what only several looks tell; `memory` has taken it in already."""
    starts = memory.starts
    same = evidence.config.hash == starts.config_hash
    config = evidence.config
    return replace(
        evidence,
        config=replace(config, applied=config.applied and (config.reloads or same)),
        config_proven=evidence.config.hash is not None and evidence.config.hash == starts.proven,
        failed_starts=starts.failed if same else 0,
        rss_mb_per_hour=memory.growth.megabytes_per_hour,
    )


def _container_is_new(memory: Memory, evidence: Evidence) -> bool:
    """Whether no process was seen since we look, or since its container was seen to stop."""
    if evidence.process is not None:
        return False
    return memory.container_is_new or evidence.container_up is False


def _up(memory: Memory, evidence: Evidence, *, same: bool) -> ProcessIdentity | None:
    """Return the process that was last up; one that has let go of its port, or says so, starts anew."""
    probe = evidence.snapshot.probe
    if probe.started:
        return evidence.process
    begins_again = same and not evidence.frozen and (not evidence.listens or probe.live)
    return None if begins_again and not probe.draining else memory.up


def _starting_for(memory: Memory, evidence: Evidence, *, same: bool) -> float:
    """Return how long the process has been on its way up, by what the machine has let it have."""
    probe = evidence.snapshot.probe
    if evidence.process is None or probe.started or probe.draining:
        return 0.0
    if same and evidence.frozen:
        return memory.starting_for
    if not same or memory.looked_at is None:
        return 0.0 if evidence.process == memory.up else min(evidence.age_seconds, MOST_CREDIT_SECONDS)
    gap = min(evidence.at - memory.looked_at, MOST_GAP_SECONDS)
    return memory.starting_for + max(0.0, gap - (evidence.starved_seconds - memory.starved_seconds))


def _last_answer(memory: Memory, evidence: Evidence, *, same: bool) -> float:
    """Return when this process last answered a probe or a ping, or since when we wait for it."""
    if not same:
        first = memory.looked_at is None and memory.watched_since is not None
        return memory.watched_since if first and memory.watched_since is not None else evidence.at
    known = [at for at in (memory.answered_at, evidence.socket.answered_at) if at is not None]
    return max(known, default=evidence.at)


def _gone(memory: Memory, evidence: Evidence, *, died: bool) -> Memory:
    """Note a death that nobody asked for, and since when there is no process."""
    at = evidence.at
    deaths = tuple(death for death in memory.deaths if at - death < DEATHS_SECONDS)
    meant = (
        (evidence.repairing and memory.process == memory.unrepaired)
        or evidence.lifecycle_busy
        or evidence.snapshot.desired is Desired.STOPPED
        or evidence.container_up is False
    )
    said_restart = evidence.socket.said_restart or memory.said_restart
    said_restart = said_restart and _may_come_back(memory, evidence)
    if died and not meant and not said_restart:
        deaths = (*deaths, at)
    if evidence.process is not None:
        return replace(
            memory,
            gone_since=None,
            deaths=deaths,
            oom_kills=evidence.oom_kills,
            was_oom=False,
            said_restart=False,
        )
    killed = died and memory.oom_kills is not None and evidence.oom_kills > memory.oom_kills
    return replace(
        memory,
        gone_since=_since(memory.gone_since, at),
        deaths=deaths,
        was_oom=memory.was_oom or killed,
        said_restart=said_restart,
    )


def _may_come_back(memory: Memory, evidence: Evidence) -> bool:
    """Whether the end of the process can be a part of its restart: ours keep theirs, and a crash is none."""
    if memory.owner is GatewayOwner.OURS:
        return False
    ended = evidence.exit
    return memory.owner in _UNRECORDED or ended is None or (ended.signal is None and not ended.code)


def _since(known: float | None, at: float) -> float:
    return at if known is None else known


def _progress(
    memory: Memory, evidence: Evidence, *, same: bool
) -> tuple[tuple[float, int, tuple[str, ...]], float]:
    """Return the marks of progress, and when they last moved."""
    cpu, log_end, failing = memory.marks
    now_failing = tuple(evidence.snapshot.probe.failing)
    moved = (
        not same
        or evidence.cpu_seconds - cpu >= PROGRESS_CPU_SECONDS
        or evidence.log_end != log_end
        or now_failing != failing
    )
    if not moved:
        return memory.marks, memory.moved_at
    return (evidence.cpu_seconds, evidence.log_end, now_failing), evidence.at
