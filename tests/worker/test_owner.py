"""Who holds a claim, and whether it still lives."""

import os
import subprocess
from dataclasses import replace

import pytest

from buddy_common.adapters import processes
from buddy_worker.owner import Owner


def test_an_owner_is_read_as_it_was_written() -> None:
    me = Owner.current()

    assert Owner.parse(str(me)) == me
    assert me.pid == os.getpid()
    assert len(str(me)) <= 128  # the column's width


@pytest.mark.parametrize("text", ["host:12", "a:b:c:d:e", ""])
def test_what_another_version_wrote_is_no_owner(text: str) -> None:
    assert Owner.parse(text) is None


def test_a_living_process_is_not_dead() -> None:
    me = Owner.current()
    assert me.is_dead(seen_by=me) is False


def test_a_process_that_has_ended_is_dead() -> None:
    me = Owner.current()
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    identity = processes.identify(process.pid)
    assert identity is not None
    other = replace(me, pid=identity.pid, started=identity.started)
    assert other.is_dead(seen_by=me) is False

    process.communicate()

    assert other.is_dead(seen_by=me) is True


def test_a_pid_that_was_used_again_is_another_process() -> None:
    me = Owner.current()
    assert replace(me, started=me.started - 1).is_dead(seen_by=me) is True


def test_after_a_reboot_all_are_dead() -> None:
    me = Owner.current()
    assert replace(me, boot="earlier").is_dead(seen_by=me) is True


def test_nobody_can_tell_from_outside_its_container() -> None:
    me = Owner.current()
    assert replace(me, namespace="1", boot="earlier").is_dead(seen_by=me) is None
