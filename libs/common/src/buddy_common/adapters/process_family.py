"""What a process was given, where it came from, and what it and its children have used."""

import os
from pathlib import Path

import psutil

from buddy_common.adapters.processes import identify
from buddy_common.schemas.processes import ProcessIdentity


def environment_of(process: ProcessIdentity) -> dict[str, str]:
    """Return the variables that the process was started with; none where they cannot be read.

    None of another account's either: they could make a program of ours do as that account likes.
    """
    if identify(process.pid) != process or foreign_account_of(process) is not None:
        return {}
    try:
        return psutil.Process(process.pid).environ()
    except (psutil.Error, OSError):
        return {}


def foreign_account_of(process: ProcessIdentity) -> str | None:
    """Return whose process it is, None when it is of our own account or gone."""
    try:
        running = psutil.Process(process.pid)
        return None if set(running.uids()) == {os.geteuid()} else running.username()
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return "another account"


def descends_from(process: ProcessIdentity, ancestor: ProcessIdentity) -> bool:
    """Whether the ancestor started the process, or started who did."""
    if identify(process.pid) != process:
        return False
    try:
        parents = psutil.Process(process.pid).parents()
    except psutil.Error:
        return False
    return any(identify(parent.pid) == ancestor for parent in parents)


def has_keeper(record: Path) -> bool:
    """Whether the keeper runs that writes this record of a gateway."""
    words = ["gateway", str(record)]
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if words in (command[place : place + 2] for place in range(len(command) - 1)):
            return True
    return False


def cpu_seconds(process: ProcessIdentity) -> float:
    """Return the CPU time of the process and of its children, living and dead; 0 when it is gone."""
    if identify(process.pid) != process:
        return 0.0
    total = 0.0
    try:
        root = psutil.Process(process.pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for member in family:
        try:
            times = member.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
