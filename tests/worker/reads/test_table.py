"""Every resource of the mirror is read, with the methods and after the events that there are."""

from pathlib import Path

import pytest

from buddy_common.schemas.resources import MIRRORED
from buddy_worker.reads.table import BY_RESOURCE, READS, Read
from worker.reads.recorded import GENERATIONS, RecordedGateway, config_of, files_of, recorded_hello

HELLOS = [recorded_hello(version) for version in GENERATIONS]
# asked for only where the older generation leaves a workspace open; both know it
BESIDES = {"agents.files.list"}


def test_every_resource_of_the_mirror_is_read_once() -> None:
    assert sorted(read.resource for read in READS) == sorted(MIRRORED)
    assert set(BY_RESOURCE) == set(MIRRORED)


@pytest.mark.parametrize("read", READS, ids=lambda read: str(read.resource))
def test_every_resource_can_be_read_without_the_gateway(read: Read) -> None:
    assert read.files is not None or read.command is not None
    assert (read.gateway is None) == (read.methods == ())
    assert read.fresh_seconds > 2 * read.seconds


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize("read", READS, ids=lambda read: str(read.resource))
async def test_gateway_is_asked_only_for_what_the_table_says(
    read: Read, version: str, tmp_path: Path
) -> None:
    gateway = RecordedGateway(version)
    if read.gateway is None or not all(gateway.has(method) for method in read.methods):
        return

    await read.gateway(gateway, files_of(tmp_path, config_of(version)))

    assert {name for name, _ in gateway.calls} - BESIDES == set(read.methods)
    assert all(gateway.has(name) for name, _ in gateway.calls)


@pytest.mark.parametrize("read", READS, ids=lambda read: str(read.resource))
def test_events_are_such_as_some_generation_pushes(read: Read) -> None:
    known = frozenset[str]().union(*(hello.events for hello in HELLOS))

    # some gateways push this one without announcing it
    assert read.events - known <= {"config.changed"}
