"""What was done about gateways, and the incidents that come of it."""

from datetime import timedelta

import pytest

from buddy_common.db import heal_events, heal_incidents
from buddy_common.db.engine import Database
from buddy_common.schemas.heal_views import IncidentView
from buddy_common.schemas.healing import EventKind, HealEvent, IncidentState
from buddy_common.schemas.verdicts import Verdict
from common.db.healing_rows import HISTORY, NODE, START, event


def write(database: Database, *events: HealEvent) -> None:
    database.call(lambda session: heal_events.add(session, events))


def ids(database: Database, **filters: object) -> list[str]:
    rows = database.call(lambda session: heal_events.listing(session, node=NODE, **filters))  # type: ignore[arg-type]  # what each test asks for
    return [row.id for row in rows]


def incident(database: Database) -> IncidentView:
    (found,) = database.call(lambda session: heal_incidents.listing(session, node=NODE))
    return found


def test_events_come_back_whole_and_newest_first(database: Database) -> None:
    write(database, *HISTORY)

    rows = database.call(lambda session: heal_events.listing(session, node=NODE))

    assert [HealEvent.model_validate(row.model_dump(exclude={"seq"})) for row in rows] == HISTORY[::-1]


def test_events_are_in_the_order_of_the_record_whatever_the_clock_says(database: Database) -> None:
    write(database, event(5, EventKind.DETECTED), event(1, EventKind.REPAIR))

    assert ids(database) == ["e1", "e5"]


def test_filters_and_pages(database: Database) -> None:
    write(
        database, *HISTORY, event(6, EventKind.DETECTED, incident="i2"), event(7, EventKind.ENDED, node="b")
    )
    rows = database.call(lambda session: heal_events.listing(session, node=NODE, limit=2))

    assert [row.id for row in rows] == ["e6", "e5"]
    assert ids(database, before=rows[-1].seq, limit=2) == ["e4", "e3"]
    assert ids(database, verdict=Verdict.CONFIG_ERROR) == ["e4", "e3"]
    assert ids(database, incident="i2") == ["e6"]
    assert ids(database, since=START + timedelta(seconds=5)) == ["e6", "e5"]


def test_events_that_come_again_change_nothing(database: Database) -> None:
    write(database, *HISTORY)
    before = incident(database)
    write(database, *HISTORY[1:3])
    write(database, *HISTORY)

    assert ids(database) == ["e5", "e4", "e3", "e2", "e1"]
    assert incident(database) == before


def test_an_incident_is_what_its_events_tell(database: Database) -> None:
    write(database, *HISTORY)

    assert incident(database) == IncidentView(
        id="i1",
        node=NODE,
        began=START + timedelta(seconds=1),
        ended=START + timedelta(seconds=5),
        verdict=Verdict.CONFIG_ERROR,
        reason="reason 3",
        attempts=2,
        state=IncidentState.RECOVERED,
        seconds_to_detect=0.4,
        seconds_to_recover=12.5,
        report="i1.md",
    )


def test_an_incident_is_the_same_in_however_many_batches_its_events_come(database: Database) -> None:
    for one in HISTORY:
        write(database, one)

    assert incident(database).state is IncidentState.RECOVERED
    assert incident(database).attempts == 2


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ([EventKind.DETECTED], IncidentState.ACTIVE),
        ([EventKind.DETECTED, EventKind.GAVE_UP], IncidentState.GAVE_UP),
        ([EventKind.DETECTED, EventKind.GAVE_UP, EventKind.CHANGED], IncidentState.GAVE_UP),
        ([EventKind.DETECTED, EventKind.GAVE_UP, EventKind.REPAIR], IncidentState.ACTIVE),
        ([EventKind.DETECTED, EventKind.GAVE_UP, EventKind.RECOVERED], IncidentState.RECOVERED),
        ([EventKind.DETECTED, EventKind.ENDED], IncidentState.ENDED),
    ],
)
def test_the_last_events_say_where_an_incident_is(
    database: Database, kinds: list[EventKind], state: IncidentState
) -> None:
    write(database, *(event(number, kind) for number, kind in enumerate(kinds)))

    found = incident(database)

    assert found.state is state
    assert (found.ended is None) is state.is_active


def test_incidents_that_go_on_can_be_asked_for(database: Database) -> None:
    write(database, *HISTORY, event(6, EventKind.DETECTED, incident="i2"))

    def of(*, active: bool | None) -> list[str]:
        rows = database.call(lambda session: heal_incidents.listing(session, node=NODE, active=active))
        return [row.id for row in rows]

    assert of(active=True) == ["i2"]
    assert of(active=False) == ["i1"]
    assert of(active=None) == ["i2", "i1"]


def test_incidents_are_paged_by_when_they_began(database: Database) -> None:
    write(database, *(event(number, EventKind.DETECTED, incident=f"i{number}") for number in range(4)))
    page = database.call(lambda session: heal_incidents.listing(session, node=NODE, limit=2))
    rest = database.call(
        lambda session: heal_incidents.listing(session, node=NODE, before=page[-1].began, limit=9)
    )

    assert [row.id for row in (*page, *rest)] == ["i3", "i2", "i1", "i0"]
