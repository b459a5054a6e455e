"""What the watchdog remembers of an incident, so that its own death, or a reboot, costs nothing."""

from datetime import datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.processes import boot_id
from buddy_common.schemas.gateway import GatewayOwner
from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.schemas.processes import ProcessIdentity
from buddy_watchdog.healing import Phase, State

log = structlog.get_logger(__name__)

BROKEN_OFF = "unknown: the watchdog ended"  # the outcome of a repair that it died in


class Incident(BaseModel):
    """The incident that is open: what its events and its alerts belong to."""

    model_config = ConfigDict(frozen=True)

    id: str
    began: datetime
    began_after_boot: float | None = None  # None: before this boot
    told: list[EventKind] = []  # kinds of events that people were alerted of
    up_at: datetime | None = None  # when the gateway was first seen well again


class Remembered(BaseModel):
    """Everything in the file."""

    model_config = ConfigDict(frozen=True)

    boot: str
    state: State = State()
    incident: Incident | None = None
    owner: GatewayOwner | None = None  # of the last process that was seen
    circuit_opened_at: datetime | None = None
    circuit_closed_at: datetime | None = None  # the operator's last word on it that was acted upon
    up: ProcessIdentity | None = None  # the last process that was seen up
    proven: str | None = None  # hash of the config that a start was last ready on
    repair: HealEvent | None = None  # the one that is under way, as it goes into the record
    owed: list[HealEvent] = []  # not known to be written down yet
    untold: list[HealEvent] = []  # nobody has tried yet to tell people of them


class StateFile:
    """One small file in the node's state folder, replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, *, now: float) -> Remembered:
        """Return what was kept. A repair that was under way counts as ended, its outcome as unknown: it is
        owed to the record, by the id that it has had from the beginning.

        After a reboot times of before mean nothing: what was begun then began now.
        """
        try:
            kept = Remembered.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Remembered(boot=boot_id())
        except (OSError, ValidationError) as exc:
            log.warning("watchdog_state_unreadable", reason=type(exc).__name__)
            return Remembered(boot=boot_id())
        state = kept.state
        if state.phase is Phase.REPAIRING:
            state = state.model_copy(update={"phase": Phase.INCIDENT, "next_repair_at": now})
        if kept.repair is not None:
            broken_off = kept.repair.model_copy(update={"outcome": BROKEN_OFF})
            kept = kept.model_copy(update={"repair": None, "owed": [*kept.owed, broken_off]})
        incident, up = kept.incident, kept.up
        if kept.boot != boot_id():
            up = None
            if incident is not None:
                incident = incident.model_copy(update={"began_after_boot": None})
            since = None if state.since is None else now
            state = state.model_copy(
                update={
                    "since": since,
                    "sick_since": None,
                    "hung_since": None,
                    "fine_since": None,
                    "up_since": None,
                    "next_repair_at": now,
                }
            )
        return kept.model_copy(update={"boot": boot_id(), "state": state, "incident": incident, "up": up})

    def save(self, remembered: Remembered) -> None:
        """Keep it; a disk that is full is a log line: the watching goes on."""
        try:
            replace_file(self._path, remembered.model_dump_json().encode())
        except OSError as exc:
            log.warning("watchdog_state_not_written", reason=exc.strerror)
