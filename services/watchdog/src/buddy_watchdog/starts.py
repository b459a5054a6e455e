"""What came of the starts on the config as it is: whether it can be the cause of a crash. Pure."""

from dataclasses import dataclass, replace

from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_watchdog.evidence import Evidence

# so many starts in a row that ended by themselves are no bad luck
FAILED_STARTS = 2
_SAME_END_SECONDS = 0.2  # one record of one end, read twice
_NOISE_SECONDS = 0.02
# what somebody sends from outside; what a program does to itself is SIGABRT, SIGSEGV and their like
_OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE"})
_OUTSIDE_CODES = frozenset({0, 129, 130, 131, 137, 143})  # as a shell, or who handles the signal, puts it


@dataclass(frozen=True)
class Starts:
    """The last start that was seen, and what is known of the config that it was made on."""

    process: ProcessIdentity | None = None
    config_hash: str | None = None  # as it was when the process began, or when we began to look
    was_ready: bool = False
    awaited: bool = False  # its end is not on record yet
    ended_at: float | None = None  # the last one, by its record; at first the last look at it alive
    proven: str | None = None  # the config that a start was last ready on
    failed: int = 0  # starts on the same config in a row that ended by themselves and were never ready


def remember_start(starts: Starts, evidence: Evidence) -> Starts:
    """Return what is known after this look."""
    if evidence.process is None:
        return replace(_after_end(starts, evidence), process=None)
    if evidence.process != starts.process:
        starts = replace(_on(starts, evidence.config.hash), process=evidence.process, was_ready=False)
    starts = replace(starts, awaited=True, ended_at=evidence.at - _SAME_END_SECONDS - _NOISE_SECONDS)
    # ready, but on an older config than the one on disk, proves nothing of that
    applied = evidence.config.applied and evidence.config.hash == starts.config_hash
    if evidence.snapshot.probe.ready and applied:
        return replace(starts, was_ready=True, proven=starts.config_hash, failed=0)
    return starts


def _after_end(starts: Starts, evidence: Evidence) -> Starts:
    """Count a start that has failed once its end is on record, also one that came and went unseen."""
    ended_at = _ended_at(evidence)
    if ended_at is None:  # nobody records ends: then only what was seen has ended
        return _counted(starts, evidence) if starts.process is not None else starts
    if starts.ended_at is not None and ended_at <= starts.ended_at + _SAME_END_SECONDS:
        return starts
    is_first, unseen = starts.ended_at is None, not starts.awaited
    starts = replace(starts, ended_at=ended_at, awaited=False)
    if is_first:  # of before we looked
        return starts
    if unseen:
        starts = replace(_on(starts, evidence.config.hash), was_ready=False)
    return _counted(starts, evidence)


def _counted(starts: Starts, evidence: Evidence) -> Starts:
    failed = not starts.was_ready and ended_by_itself(evidence.exit)
    return replace(starts, failed=starts.failed + 1) if failed else starts


def _on(starts: Starts, config_hash: str | None) -> Starts:
    failed = starts.failed if config_hash == starts.config_hash else 0
    return replace(starts, config_hash=config_hash, failed=failed)


def _ended_at(evidence: Evidence) -> float | None:
    """Return when the last one ended; None where nobody has written that down, or the clock was set back."""
    return evidence.at - evidence.seconds_since_exit if evidence.seconds_since_exit else None


def ended_by_itself(ended: ProcessExit | None) -> bool:
    """Whether nobody but the process itself is known to have ended it."""
    if ended is None:
        return False
    if ended.signal is not None:
        return ended.signal not in _OUTSIDE
    return ended.code is not None and ended.code not in _OUTSIDE_CODES


def may_blame_config(evidence: Evidence) -> bool:
    """Whether the config can be the cause although OpenClaw takes it.

    It can where it ends by itself again and again, and no start on this config was ever ready. A known-good
    one may be one of those: it was brought into force while the gateway ran.
    """
    failed = evidence.failed_starts >= FAILED_STARTS
    return failed and not evidence.config_proven and ended_by_itself(evidence.exit)
