"""systemd by `systemctl`: what it says of a unit, and the orders to start, stop and kill it."""

from pathlib import Path

from buddy_common.adapters import accounts
from buddy_common.adapters.service_command import Answer, ask, signal_name
from buddy_common.errors import ServiceManagerError
from buddy_common.schemas.gateway import GatewayOwner, ServiceStatus, ServiceUnit
from buddy_common.schemas.processes import ProcessExit

RUNTIME_DIRS = Path("/run/user")
_PROPERTIES = (
    "LoadState,ActiveState,Job,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,InvocationID,User,"
    "Environment,ExecStart"
)
_ACTIVE = frozenset({"active", "activating", "deactivating", "reloading", "refreshing", "maintenance"})
_EXITED, _KILLED, _DUMPED = "1", "2", "3"  # CLD_* of waitid(2), as systemd shows them


class Systemd:
    """The systemd of this host, for units of the system, of ourselves and of other accounts."""

    def unit(self, name: str, *, uid: int | None) -> ServiceUnit:
        """Name a unit of the system (no `uid`) or of an account's user manager."""
        account = None if uid is None else accounts.account_of_uid(uid).name
        return ServiceUnit(GatewayOwner.SYSTEMD, name, user=uid is not None, account=account)

    def facts(self, unit: ServiceUnit) -> dict[str, str]:
        """Return what systemd knows of a unit; nothing if it is absent or masked, or without an answer."""
        if _unreachable(unit) is not None:
            return {}
        answer = _systemctl(unit, "show", f"--property={_PROPERTIES}")
        facts = dict(line.split("=", 1) for line in answer.output.splitlines() if "=" in line)
        return facts if answer.reason is None and facts.get("LoadState") == "loaded" else {}

    def status(self, unit: ServiceUnit) -> ServiceStatus | None:
        """Return what the unit does now; None if it is absent or masked, or without an answer."""
        facts = self.facts(unit)
        if not facts:
            return None
        return ServiceStatus(
            active=facts.get("ActiveState") in _ACTIVE or bool(facts.get("Job")),
            main_pid=int(facts.get("MainPID", 0)) or None,
            last_pid=int(facts.get("ExecMainPID", 0)) or None,
            last_exit=_exit(facts.get("ExecMainCode", ""), int(facts.get("ExecMainStatus", 0))),
        )

    def invocation(self, unit: ServiceUnit) -> str | None:
        """Return what the journal calls the unit's present run, or its last one."""
        return self.facts(unit).get("InvocationID") or None

    def start_command(self, unit: ServiceUnit) -> str:
        """Return the start as people type it."""
        return " ".join(["systemctl", *_scope(unit), "start", unit.name])

    def start(self, unit: ServiceUnit) -> None:
        """Order the start, even after too many failed ones; it waits behind a stop that still runs.

        Raises:
            ServiceManagerError: systemd refused, or did not answer.
        """
        if _unreachable(unit) is None:
            _systemctl(unit, "reset-failed")  # fails for a unit that is not in memory: nothing to reset
        _order(unit, "start", "--no-block")

    def stop(self, unit: ServiceUnit) -> None:
        """Order the stop, which also ends restarts; the process may drain long after this returns.

        Raises:
            ServiceManagerError: systemd refused, or did not answer.
        """
        _order(unit, "stop", "--no-block")

    def kill(self, unit: ServiceUnit) -> None:
        """Kill every process of the unit, and keep systemd from starting it again.

        Raises:
            ServiceManagerError: systemd refused, or did not answer.
        """
        self.stop(unit)  # without a stop in its queue, Restart=always would bring it back
        try:
            _order(unit, "kill", "--signal=SIGKILL")
        except ServiceManagerError:
            status = self.status(unit)
            if status is None or status.main_pid is not None:  # else it has just ended by itself
                raise


def _order(unit: ServiceUnit, verb: str, option: str) -> None:
    unreachable = _unreachable(unit)
    answer = _systemctl(unit, verb, option) if unreachable is None else Answer(reason=unreachable)
    if answer.reason is None:
        return
    words = ["systemctl", *_scope(unit), verb, *([option] if verb == "kill" else []), unit.name]
    if accounts.own_uid() != 0 and (unit.account is not None or not unit.user):
        words.insert(0, "sudo")
    raise ServiceManagerError(
        f"The {verb} of the {unit}",
        reason=answer.reason,
        by_hand=" ".join(words),
        timed_out=answer.timed_out,
    )


def _systemctl(unit: ServiceUnit, verb: str, *options: str) -> Answer:
    environment = {"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    runtime = RUNTIME_DIRS / str(accounts.own_uid())
    if runtime.is_dir():  # not set under cron and in system units, another account's after `su`
        environment["XDG_RUNTIME_DIR"] = str(runtime)
    command = ["systemctl", "--no-pager", "--no-ask-password", *_scope(unit), verb, *options]
    return ask(*command, "--", unit.name, environment=environment)


def _scope(unit: ServiceUnit) -> list[str]:
    if unit.account is not None:
        return ["--user", f"--machine={unit.account}@"]
    return ["--user"] if unit.user else []


def _unreachable(unit: ServiceUnit) -> str | None:
    """Return why another account's manager cannot be asked: a question to one that is down starts it."""
    if unit.account is None:
        return None
    if accounts.own_uid() != 0:
        return f"it belongs to {unit.account}, and Buddy does not run as root"
    if not (RUNTIME_DIRS / str(accounts.uid_of(unit.account)) / "systemd").is_dir():
        return (
            f"the user manager of {unit.account} is down; `loginctl enable-linger {unit.account}` starts it"
        )
    return None


def _exit(code: str, status: int) -> ProcessExit | None:
    if code == _EXITED:
        return ProcessExit(code=status)
    if code in (_KILLED, _DUMPED):
        return ProcessExit(signal=signal_name(status))
    return None
