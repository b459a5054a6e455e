"""The command that shows people a unit's output where Buddy may not read it."""

import pytest

from buddy_common.adapters import accounts
from buddy_common.adapters.journal import journal_command
from buddy_common.schemas.gateway import GatewayOwner, ServiceUnit

NAME = "openclaw-gateway.service"
DAEMON_UID = 1  # every Unix has this account


@pytest.mark.parametrize(
    ("uid", "user", "account", "command"),
    [
        (0, False, None, f"journalctl --unit {NAME}"),
        (4321, False, None, f"sudo journalctl --unit {NAME}"),
        (0, True, None, f"journalctl --user-unit {NAME}"),
        # a user sees nothing of a journal that is kept in memory only; with sudo, --user-unit means root's
        (4321, True, None, f"sudo journalctl _SYSTEMD_USER_UNIT={NAME} _UID=4321"),
        (0, True, "daemon", f"journalctl _SYSTEMD_USER_UNIT={NAME} _UID={DAEMON_UID}"),
        (4321, True, "daemon", f"sudo journalctl _SYSTEMD_USER_UNIT={NAME} _UID={DAEMON_UID}"),
    ],
)
def test_command_shows_the_unit_to_whoever_may_use_sudo(
    monkeypatch: pytest.MonkeyPatch, uid: int, *, user: bool, account: str | None, command: str
) -> None:
    monkeypatch.setattr(accounts, "own_uid", lambda: uid)

    assert journal_command(ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=user, account=account)) == command
