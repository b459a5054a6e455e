"""Looks and events as a watchdog hands them to its record."""

from datetime import UTC, datetime, timedelta
from typing import Any

from buddy_common.schemas.gateway import GatewayState
from buddy_common.schemas.healing import EventKind, HealEvent, HealthCheck
from buddy_common.schemas.verdicts import Verdict

NODE = "local"
START = datetime(2026, 3, 28, 10, tzinfo=UTC)


def check(seconds: float, verdict: Verdict = Verdict.READY, **more: Any) -> HealthCheck:
    """Return a look of so many seconds after the start."""
    fields: dict[str, Any] = {
        "id": f"c{seconds}",
        "node": NODE,
        "at": START + timedelta(seconds=seconds),
        "state": GatewayState.RUNNING,
        "verdict": verdict,
        "response_time_ms": 4.0,
        "event_loop_ms": 20.0,
        "cpu_percent": 1.0,
        "rss_bytes": 100 * 1024 * 1024,
    }
    return HealthCheck(**fields | more)


def event(number: int, kind: EventKind, verdict: Verdict = Verdict.CRASHED, **more: Any) -> HealEvent:
    """Return the event of this number."""
    fields: dict[str, Any] = {
        "id": f"e{number}",
        "incident": "i1",
        "node": NODE,
        "at": START + timedelta(seconds=number),
        "kind": kind,
        "verdict": verdict,
        "reason": f"reason {number}",
    }
    return HealEvent(**fields | more)


HISTORY = [
    event(1, EventKind.DETECTED, seconds_to_detect=0.4, report="i1.md", evidence_before={"pid": 7}),
    event(2, EventKind.REPAIR, repair="restart", outcome="done: it is up", attempt=1),
    event(3, EventKind.CHANGED, Verdict.CONFIG_ERROR, attempt=1),
    event(4, EventKind.REPAIR, Verdict.CONFIG_ERROR, repair="rollback", attempt=2),
    event(5, EventKind.RECOVERED, Verdict.READY, attempt=2, seconds_to_recover=12.5),
]
