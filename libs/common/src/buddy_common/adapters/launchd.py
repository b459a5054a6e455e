"""launchd by `launchctl`: what it says of a job, and the orders to start, stop and kill it.

Source: how OpenClaw handles its own job (docs/gateway/index.md and dist/launchd-*.mjs of 2026.9.6).
"""

import re
import time
from pathlib import Path

from buddy_common.adapters import accounts
from buddy_common.adapters.service_command import ask, signal_name
from buddy_common.errors import ServiceManagerError
from buddy_common.schemas.gateway import GatewayOwner, ServiceStatus, ServiceUnit
from buddy_common.schemas.processes import ProcessExit

HANDED_OVER_SECONDS = 3.0  # launchd has the order by then; `bootout` waits on for the process's end
UNLOAD_SECONDS = 25.0  # launchd kills a job that takes more than 20 s (ExitTimeOut of OpenClaw's job)
POLL_SECONDS = 0.5
_PID = re.compile(r"^\s*pid = (\d+)$", re.MULTILINE)
_EXIT_CODE = re.compile(r"^\s*last exit (?:code|status) = (\d+)", re.MULTILINE)
_EXIT_SIGNAL = re.compile(r"^\s*last terminating signal = .*?(\d+)\s*$", re.MULTILINE)
_ROW = re.compile(r"^(\d+)\t\S+\t(\S+)$", re.MULTILINE)  # pid, status, label
_NOT_LOADED = r"no such process|could not find service|not found"
_UNDER_WAY = r"operation (?:now|already) in progress"
_UNLOADING = r"bootstrap failed: 5\b|input/output error"


class Launchd:
    """The launchd of this Mac, for jobs of the system and of accounts with a desktop session."""

    def unit(self, name: str, *, uid: int | None) -> ServiceUnit:
        """Name a job of the system (no `uid`) or of an account's desktop session."""
        account = None if uid is None else accounts.account_of_uid(uid).name
        return ServiceUnit(GatewayOwner.LAUNCHD, name, user=uid is not None, account=account)

    def status(self, unit: ServiceUnit) -> ServiceStatus | None:
        """Return what the job does now; None if it is not loaded, or without an answer.

        A loaded job counts as active: OpenClaw's has KeepAlive, so it comes back by itself.
        """
        answer = ask("launchctl", "print", _target(unit))
        if answer.reason is not None:
            return None
        pid = _PID.search(answer.output)
        return ServiceStatus(
            active=True, main_pid=int(pid[1]) if pid else None, last_exit=_exit(answer.output)
        )

    def job_of(self, pid: int) -> ServiceUnit | None:
        """Return the job of our own domain whose process this is."""
        uid = accounts.own_uid() or None  # root's own domain is the system's
        rows = _ROW.findall(ask("launchctl", "list").output)
        return next((self.unit(label, uid=uid) for number, label in rows if number == str(pid)), None)

    def start_command(self, unit: ServiceUnit) -> str:
        """Return the start as people type it."""
        return f"launchctl kickstart {_target(unit)}"

    def start(self, unit: ServiceUnit, *, plist: Path | None) -> None:
        """Load the job if need be, and start it.

        Raises:
            ServiceManagerError: launchd refused, or did not answer.
        """
        ask("launchctl", "enable", _target(unit))  # as OpenClaw does: a disabled job cannot be loaded
        if self.status(unit) is None:
            _load(unit, plist)
        _order(unit, "kickstart", _target(unit))

    def stop(self, unit: ServiceUnit) -> None:
        """Order the stop and unload the job, so that nothing starts it again before the next login.

        Raises:
            ServiceManagerError: launchd refused.
        """
        _order(unit, "bootout", _target(unit), accept=f"{_NOT_LOADED}|{_UNDER_WAY}")

    def kill(self, unit: ServiceUnit) -> None:
        """Kill the job's process, and keep launchd from starting it again.

        Raises:
            ServiceManagerError: launchd refused, or did not answer.
        """
        self.stop(unit)
        _order(unit, "kill", "SIGKILL", _target(unit), accept=_NOT_LOADED)


def _load(unit: ServiceUnit, plist: Path | None) -> None:
    """Load the job; one that was just stopped may take a while to go."""
    deadline = time.monotonic() + UNLOAD_SECONDS
    while True:
        try:
            return _order(unit, "bootstrap", _domain(unit), str(plist or f"{unit.name}.plist"))
        except ServiceManagerError as exc:
            if not re.search(_UNLOADING, exc.message, re.IGNORECASE) or time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)


def _order(unit: ServiceUnit, verb: str, *arguments: str, accept: str | None = None) -> None:
    leaving = verb == "bootout"
    answer = ask("launchctl", verb, *arguments, seconds=HANDED_OVER_SECONDS if leaving else None)
    if answer.reason is None or (leaving and answer.timed_out):
        return
    if accept is not None and re.search(accept, answer.reason, re.IGNORECASE):
        return
    words = ["launchctl", verb, *arguments]
    if accounts.own_uid() != 0 and (unit.account is not None or not unit.user):
        words.insert(0, "sudo")
    raise ServiceManagerError(f"The {verb} of the {unit}", reason=answer.reason, by_hand=" ".join(words))


def _domain(unit: ServiceUnit) -> str:
    if not unit.user:
        return "system"
    return f"gui/{accounts.own_uid() if unit.account is None else accounts.uid_of(unit.account)}"


def _target(unit: ServiceUnit) -> str:
    return f"{_domain(unit)}/{unit.name}"


def _exit(report: str) -> ProcessExit | None:
    if number := _EXIT_SIGNAL.search(report):
        return ProcessExit(signal=signal_name(int(number[1])))
    code = _EXIT_CODE.search(report)
    return ProcessExit(code=int(code[1])) if code else None
