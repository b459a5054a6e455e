"""Evidence as a look would have found it, for tests of what is made of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from buddy_common.schemas.gateway import Desired, GatewaySnapshot, GatewayState, Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_watchdog.evidence import Evidence

GATEWAY = ProcessIdentity(4711, 100.0, "openclaw-gateway", is_gateway=True)
NEXT = ProcessIdentity(4800, 200.0, "openclaw-gateway", is_gateway=True)
READY = Probe(live=True, started=True, ready=True, latency_ms=3.0)
SILENT = Probe(live=False, ready=False)
STARTING = Probe(live=True, ready=False, failing=["startup-sidecars"])


def snapshot(probe: Probe = READY, **more: Any) -> GatewaySnapshot:
    """Return a snapshot of a gateway that is wanted."""
    fields: dict[str, Any] = {
        "node": "local",
        "observed_at": datetime.now(UTC),
        "state": GatewayState.RUNNING,
        "desired": Desired.RUNNING,
        "port": 18789,
        "probe": probe,
    }
    return GatewaySnapshot(**{**fields, **more})


def alive(
    at: float = 0.0, probe: Probe = READY, *, process: ProcessIdentity = GATEWAY, **more: Any
) -> Evidence:
    """Return a look at a gateway whose process lives."""
    seen = more.pop("snapshot", snapshot(probe))
    fields: dict[str, Any] = {"process": process, "listens": True, "cpu_seconds": 1.0} | more
    return Evidence(at=at, snapshot=seen, **fields)


KILLED = ProcessExit(signal="SIGKILL")


def gone(at: float = 0.0, *, ended: ProcessExit | None = KILLED, **more: Any) -> Evidence:
    """Return a look at the place where a gateway was; `ended` is None where nobody has recorded its end."""
    seen = more.pop("snapshot", snapshot(SILENT))
    return Evidence(at=at, snapshot=seen, exit=ended, **more)


def wanted(evidence: Evidence, desired: Desired | None) -> Evidence:
    """Return the same look at a gateway that the operator wants otherwise."""
    return replace(evidence, snapshot=evidence.snapshot.model_copy(update={"desired": desired}))
