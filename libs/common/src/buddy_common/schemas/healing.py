"""What the watchdog finds, does and writes down about a gateway."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from buddy_common.schemas.gateway import GatewayState
from buddy_common.schemas.verdicts import Verdict


class EventKind(StrEnum):
    """What happened in an incident."""

    DETECTED = "detected"
    CHANGED = "changed"  # the verdict became another one
    REPAIR = "repair"  # one was made; `outcome` says how it ended
    RECOVERED = "recovered"
    GAVE_UP = "gave_up"  # the budget is spent: the circuit is open, a person has to look
    ENDED = "ended"  # without us: stopped on purpose, taken over by an operator's job


class HealthCheck(BaseModel):
    """One look at the gateway, as it is kept for a month."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Unique for ever: replaying a check twice changes nothing")
    node: str
    at: datetime
    state: GatewayState
    verdict: Verdict
    response_time_ms: float | None = Field(None, description="Of the health routes, measured; None: silent")
    event_loop_ms: float | None = Field(None, description="p99 of the gateway's event-loop delay")
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    disk_percent: float = 0.0


class HealEvent(BaseModel):
    """One line of an incident's history."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Unique for ever: replaying an event twice changes nothing")
    incident: str
    node: str
    at: datetime
    kind: EventKind
    verdict: Verdict
    reason: str = Field(description="For people, one sentence or two, without secrets")
    repair: str | None = None
    outcome: str | None = None
    attempt: int = 0
    evidence_before: dict[str, Any] | None = None
    evidence_after: dict[str, Any] | None = None
    seconds_to_detect: float | None = None
    seconds_to_recover: float | None = None
    report: str | None = Field(None, description="Name of the incident's report")


class Healing(StrEnum):
    """Whether the watchdog may repair."""

    ON = "on"
    OFF = "off"


class SelfHealing(BaseModel):
    """What the operator wants of the watchdog; it watches and reports in any case."""

    model_config = ConfigDict(frozen=True)

    mode: Healing = Healing.ON
    paused_until: AwareDatetime | None = Field(
        None, description="A maintenance window: no repair before it ends"
    )
    circuit_closed_at: AwareDatetime | None = Field(
        None, description="When somebody closed the circuit by hand: one that opened before is closed"
    )

    def allows_repairs(self, now: datetime) -> bool:
        """Whether a repair may be made at this moment."""
        paused = self.paused_until is not None and now < self.paused_until
        return self.mode is Healing.ON and not paused

    def closes_circuit(self, opened_at: datetime) -> bool:
        """Whether a circuit that opened then was closed by hand since."""
        return self.circuit_closed_at is not None and opened_at < self.circuit_closed_at


class Quarantined(BaseModel):
    """One entry of the config that was taken out so that the gateway starts; put back by one call."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    incident: str
    path: list[str] = Field(description="Where it was: `plugins`, `entries`, and the plugin's id")
    reason: str
    value: Any = Field(description="What stood there, secrets and all: never leaves the host")


class QuarantineEntry(BaseModel):
    """An entry in quarantine as clients see it: without what stood there."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    incident: str
    path: list[str]
    reason: str

    @classmethod
    def of(cls, kept: Quarantined) -> Self:
        """Return the same without the value."""
        return cls.model_validate(kept.model_dump(exclude={"value"}))


class ActiveIncident(BaseModel):
    """The incident that is open now."""

    model_config = ConfigDict(frozen=True)

    id: str
    began: datetime
    verdict: Verdict
    attempts: int = 0


class HealingView(BaseModel):
    """What the watchdog is about, as it publishes it to the read model."""

    model_config = ConfigDict(frozen=True)

    node: str
    mode: Healing = Healing.ON
    paused_until: datetime | None = None
    circuit_open_since: datetime | None = None
    incident: ActiveIncident | None = None
    quarantine: list[QuarantineEntry] = []


class IncidentState(StrEnum):
    """Where an incident is."""

    ACTIVE = "active"
    GAVE_UP = "gave_up"  # it goes on, and nothing is repaired any more
    RECOVERED = "recovered"
    ENDED = "ended"

    @property
    def is_active(self) -> bool:
        """Whether it goes on."""
        return self in {IncidentState.ACTIVE, IncidentState.GAVE_UP}
