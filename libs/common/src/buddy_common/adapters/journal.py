"""systemd's journal: what a unit writes goes there, and not into a file of ours.

Every call runs a program and waits for it: call from a thread, never from the event loop.
"""

from buddy_common.adapters import accounts
from buddy_common.adapters.service_command import ask
from buddy_common.adapters.terminal_text import plain_lines
from buddy_common.schemas.gateway import ServiceUnit

LINES = 200  # at once; the next look goes on from there
ANSWER_SECONDS = 5.0  # took 0.01 s for a journal of 8 MB
_CURSOR = "-- cursor: "


def journal_lines(invocation: str, position: str | None) -> tuple[list[str], str | None]:
    """Return what the processes of one run of a unit wrote since `position`, and the new position.

    Without a position: its last lines. Where there is no journal, or none that we may read: nothing.
    """
    command = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={LINES}", "--show-cursor"]
    if position is not None:
        command.append(f"--after-cursor={position}")
    command.append(f"_SYSTEMD_INVOCATION_ID={invocation}")
    answer = ask(*command, environment={"LC_ALL": "C.UTF-8"}, seconds=ANSWER_SECONDS)
    text, found, cursor = answer.output.rpartition(_CURSOR)
    return (plain_lines(text), cursor.strip()) if found else ([], position)


def journal_command(unit: ServiceUnit) -> str:
    """Return what people type to see what the unit wrote, even where we may not."""
    sudo = "" if accounts.own_uid() == 0 else "sudo "
    if not unit.user:
        return f"{sudo}journalctl --unit {unit.name}"
    if unit.account is None and not sudo:
        return f"journalctl --user-unit {unit.name}"
    uid = accounts.own_uid() if unit.account is None else accounts.uid_of(unit.account)
    return f"{sudo}journalctl _SYSTEMD_USER_UNIT={unit.name} _UID={uid}"
