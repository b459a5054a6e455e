"""From evidence to a verdict: pure. `docs/watchdog.md` has the same as a table."""

import re
from dataclasses import dataclass

from buddy_common.schemas.gateway import Desired, GatewayOwner
from buddy_common.schemas.verdicts import Verdict
from buddy_common.usecases.observe_gateway import CONFIG_EXIT_CODE
from buddy_watchdog.evidence import Evidence
from buddy_watchdog.memory import Memory
from buddy_watchdog.starts import ended_by_itself

# without CPU time, a log line or a new phase for this long, a start is none any more
STALL_SECONDS = 60.0
# however much it does: a start took 118 s on a busy machine
CEILING_SECONDS = 600.0
# a probe waits 5 s and a ping 3 s: who has been silent for longer has answered neither
SILENT_SECONDS = 8.0
# that it waited for a processor meanwhile is no silence, up to this: a loop without end waits for it, too
MOST_STARVED_SECONDS = 4.0
# OpenClaw that restarts itself was back after 38 s on a busy machine
OWN_RESTART_SECONDS = 120.0
# a container has ended, and we with it, after 10 s; one that starts takes its gateway's lock within a few
CONTAINER_SECONDS = 30.0
LOOP_DEATHS = 3
SLOW_SECONDS = 20.0  # right after its start the event loop has much to do
# what it said at its end is true for a while: the disk may have been cleared since
LAST_WORDS_SECONDS = 60.0
_CLEAN = (0, 143)
FULL_BYTES = 32 * 1024 * 1024
_OUT_OF_MEMORY = re.compile(r"heap out of memory|Reached heap limit|std::bad_alloc|ERR_WORKER_OUT_OF_MEMORY")
_DISK_FULL = re.compile(
    r"ENOSPC(?!: System limit)|no space left on device|EROFS|read-only file system", re.IGNORECASE
)
_PORT_TAKEN = re.compile(
    r"EADDRINUSE|another OpenClaw process|already (?:running|listening)|port \d+ is (?:already )?in use"
)
_CONFIG = re.compile(
    r"invalid config|config(?:uration)? (?:is )?invalid|existing config is missing", re.IGNORECASE
)


@dataclass(frozen=True)
class Finding:
    """A verdict, and why, for people."""

    verdict: Verdict
    reason: str


def judge(evidence: Evidence, memory: Memory, *, start_ceiling_seconds: float = CEILING_SECONDS) -> Finding:
    """Return what is the matter; `memory` has taken in this evidence already."""
    if evidence.process is None:
        return _without_process(evidence, memory)
    if evidence.frozen:
        return Finding(
            Verdict.HUNG, f"{evidence.process} was stopped by a signal (SIGSTOP) and answers nobody."
        )
    probe = evidence.snapshot.probe
    if probe.draining:
        return Finding(Verdict.DRAINING, "It finishes its chats before it ends.")
    if probe.started:
        return _up(evidence, memory)
    return _not_up(evidence, memory, start_ceiling_seconds)


def _without_process(evidence: Evidence, memory: Memory) -> Finding:
    meant = _meant(evidence, memory)
    if meant is not None:
        return meant
    snapshot = evidence.snapshot
    if not evidence.installed:
        return Finding(
            Verdict.NOT_INSTALLED, evidence.program_problem or "There is no OpenClaw on this node."
        )
    if snapshot.foreign_listener is not None:
        return Finding(Verdict.PORT_TAKEN, f"Port {snapshot.port} is taken by {snapshot.foreign_listener}.")
    return _ended(evidence, memory)


def _meant(evidence: Evidence, memory: Memory) -> Finding | None:
    """Return why there is to be no process at this moment, None where there should be one."""
    desired = evidence.snapshot.desired
    if desired is not Desired.RUNNING:
        wanted = "It was stopped on purpose." if desired else "Nobody has asked for it to run."
        return Finding(Verdict.STOPPED, wanted)
    if evidence.lifecycle_busy or evidence.repairing:
        who = "The watchdog" if evidence.repairing else "A job"
        return Finding(Verdict.STARTING, f"{who} starts, stops or replaces it just now.")
    if _was_stopped_by_its_service(evidence, memory):
        return Finding(Verdict.STOPPED, "Its service was stopped, and it ended in good order.")
    gone_for = 0.0 if memory.gone_since is None else evidence.at - memory.gone_since
    if memory.said_restart and gone_for < OWN_RESTART_SECONDS:
        return Finding(Verdict.STARTING, "It said that it restarts itself.")
    return _with_its_container(evidence, memory) if gone_for < CONTAINER_SECONDS else None


def _with_its_container(evidence: Evidence, memory: Memory) -> Finding | None:
    """Return that it ended with its container, or is about to start with it; neither is a crash."""
    if evidence.container_up is False:
        return Finding(Verdict.DRAINING, "Its container is being stopped, and it has ended with it.")
    if evidence.container_up and memory.container_is_new and _ended_well(evidence):
        return Finding(Verdict.STARTING, "It had ended in good order, and its container starts it.")
    return None


def _was_stopped_by_its_service(evidence: Evidence, memory: Memory) -> bool:
    """Whether somebody has stopped it without us, as with `systemctl stop`: that is a wish, too."""
    managed = memory.owner in {GatewayOwner.SYSTEMD, GatewayOwner.LAUNCHD}
    return managed and not evidence.ended_by_us and _ended_well(evidence)


def _ended_well(evidence: Evidence) -> bool:
    """Whether it ended as one does that is asked to."""
    ended = evidence.exit
    # while it starts, Node.js has no handler for SIGTERM yet; systemd counts that as a clean end, too
    return ended is not None and (ended.code in _CLEAN or ended.signal == "SIGTERM")


def _ended(evidence: Evidence, memory: Memory) -> Finding:
    """Tell why a process has ended that nobody has asked to."""
    said = "\n".join(evidence.said)
    how = f"It has ended ({evidence.exit})" if evidence.exit is not None else "Its process is gone"
    # of one that was killed they are about its work, maybe an assistant's answer, and not about its end
    was_killed = evidence.exit is not None and not ended_by_itself(evidence.exit)
    last_words = "" if was_killed else said
    disk = _disk_problem(evidence)
    gone_for = 0.0 if memory.gone_since is None else evidence.at - memory.gone_since
    if disk is not None or (gone_for < LAST_WORDS_SECONDS and _DISK_FULL.search(last_words)):
        return Finding(Verdict.DISK_FULL, f"{how}: {disk or 'its disk is full or read-only'}.")
    if memory.was_oom or _OUT_OF_MEMORY.search(last_words):
        who = "the kernel ended a process to win memory" if memory.was_oom else "its heap was full"
        return Finding(Verdict.OUT_OF_MEMORY, f"{how}: {who}.")
    if _PORT_TAKEN.search(said):
        return Finding(Verdict.CRASHED, f"{how}: it met another one of its kind, or its port was taken.")
    if _blames_config(evidence, said):
        problem = evidence.config.problem or _first(_CONFIG, evidence.said) or "it does not take its config"
        return Finding(Verdict.CONFIG_ERROR, f"{how}: {problem}.")
    if len(memory.deaths) >= LOOP_DEATHS:
        return Finding(
            Verdict.CRASH_LOOP, f"{how}, the last of {len(memory.deaths)} deaths within ten minutes."
        )
    return Finding(Verdict.CRASHED, f"{how}.")


def _blames_config(evidence: Evidence, said: str) -> bool:
    """Whether the config is the cause: the newer OpenClaw exits with 78, the older one with 1 and a word."""
    ended = evidence.exit
    if ended is not None and ended.code == CONFIG_EXIT_CODE:
        return True
    failed = ended is not None and bool(ended.code)
    return failed and (evidence.config.problem is not None or bool(_CONFIG.search(said)))


def _up(evidence: Evidence, memory: Memory) -> Finding:
    disk = _disk_problem(evidence)
    if evidence.config.problem is not None:
        return Finding(
            Verdict.CONFIG_BROKEN,
            f"It runs on its last good config, but would not start again: {evidence.config.problem}",
        )
    if disk is not None:
        return Finding(Verdict.DISK_FULL, f"It runs, but {disk}.")
    weakness = _weakness(evidence, memory)
    if weakness is not None:
        return Finding(Verdict.DEGRADED, weakness)
    if evidence.quarantined:
        return Finding(
            Verdict.SAFE_MODE, f"It runs without {evidence.quarantined} entries that are in quarantine."
        )
    return Finding(Verdict.READY, "It is ready.")


def _weakness(evidence: Evidence, memory: Memory) -> str | None:
    probe = evidence.snapshot.probe
    if not probe.ready:
        return f"It is up, but not ready: {', '.join(probe.failing) or 'it says no more'}."
    if evidence.channels_held_back:
        return "It started no channel: it found three unclean starts within five minutes."
    if memory.slow_since is not None and evidence.at - memory.slow_since >= SLOW_SECONDS:
        delay = probe.event_loop_delay_p99_ms or 0.0
        return f"Its event loop is slow: {delay:.0f} ms at the 99th percentile."
    return None


def _not_up(evidence: Evidence, memory: Memory, ceiling: float) -> Finding:
    process = evidence.process
    silent_for = evidence.at - (memory.answered_at if memory.answered_at is not None else evidence.at)
    silent = evidence.listens and not evidence.snapshot.probe.live
    if process == memory.up and silent:
        starved = min(evidence.starved_seconds - memory.starved_at_answer, MOST_STARVED_SECONDS)
        if silent_for - max(0.0, starved) >= SILENT_SECONDS:
            return Finding(
                Verdict.HUNG, f"{process} accepts connections and has not answered for {silent_for:.0f} s."
            )
        return Finding(Verdict.DEGRADED, f"{process} has not answered for {silent_for:.0f} s.")
    still_for = evidence.at - memory.moved_at
    if still_for >= STALL_SECONDS:
        return Finding(Verdict.HUNG, f"{process} has made no progress with its start for {still_for:.0f} s.")
    waits = ", ".join(evidence.snapshot.probe.failing) or "its first answer"
    if memory.starting_for >= ceiling:
        return Finding(
            Verdict.HUNG,
            f"The start of {process} does not finish: it waits for {waits}, for {memory.starting_for:.0f} s.",
        )
    return Finding(Verdict.STARTING, f"It starts, and waits for {waits}.")


def _disk_problem(evidence: Evidence) -> str | None:
    if not evidence.state_writable:
        return "its state folder cannot be written"
    if evidence.disk_free_bytes < FULL_BYTES:
        return f"only {evidence.disk_free_bytes // (1024 * 1024)} MB of its disk are free"
    return None


def _first(pattern: re.Pattern[str], lines: tuple[str, ...]) -> str | None:
    return next((line.strip().rstrip(".") for line in lines if pattern.search(line)), None)
