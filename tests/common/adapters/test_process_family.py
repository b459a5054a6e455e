"""What a process was given, and whose it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buddy_common.adapters import process_family
from buddy_common.adapters.processes import identify
from buddy_common.schemas.processes import ProcessIdentity


@pytest.fixture
def process() -> Iterator[ProcessIdentity]:
    """A process of ours with a variable of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        env={"MY_KEY": "k"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = identify(child.pid)
        assert found is not None
        yield found
        child.kill()


def test_variables_of_our_own_process_are_read(process: ProcessIdentity) -> None:
    assert process_family.environment_of(process)["MY_KEY"] == "k"
    assert process_family.foreign_account_of(process) is None


def test_variables_of_another_account_are_not_taken(
    process: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could make a program of ours do as that account likes: NODE_OPTIONS, LD_PRELOAD."""
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)

    assert process_family.environment_of(process) == {}
    assert process_family.foreign_account_of(process) is not None


def test_variables_of_a_process_that_has_ended_are_none(process: ProcessIdentity) -> None:
    other = ProcessIdentity(process.pid, process.started - 1, process.name)

    assert process_family.environment_of(other) == {}
    assert process_family.cpu_seconds(other) == 0.0


def test_a_child_descends_from_its_parent_and_not_the_other_way(process: ProcessIdentity) -> None:
    us = identify(os.getpid())
    assert us is not None

    assert process_family.descends_from(process, us)
    assert not process_family.descends_from(us, process)
    assert process_family.cpu_seconds(us) > 0


def test_a_keeper_is_known_by_the_record_that_it_writes(tmp_path: Path) -> None:
    record = tmp_path / "gateway.json"
    with subprocess.Popen(["/bin/sh", "-c", "read _", "gateway", record], stdin=subprocess.PIPE) as keeper:
        assert process_family.has_keeper(record)
        assert not process_family.has_keeper(tmp_path / "other.json")
        keeper.communicate(b"\n")

    assert not process_family.has_keeper(record)
