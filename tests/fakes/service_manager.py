"""A `systemctl`, a `launchctl` and a `journalctl` executable that keep what they know in a file.

`systemctl` is shaped by real transcripts of systemd 252 (Debian 12) with units that OpenClaw 2026.9.6
installed: the properties of `show`, the exit codes and the words of each refusal, and that Restart=always
brings back what was killed without a stop. `journalctl` is shaped by the same: a cursor after the last
line, and exit code 1 without a word for a run that wrote nothing. `launchctl` is shaped by what OpenClaw
itself reads of it; no Mac was at hand.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SYSTEMCTL = r"""#!{python} -IS
import json, os, sys, time

state_file, calls_file = {state!r}, {calls!r}
state = json.load(open(state_file))
arguments = sys.argv[1:]
open(calls_file, "a").write(json.dumps(arguments) + "\n")
if state.get("hang") in arguments:
    time.sleep(3600)


def refuse(*lines, code=1):
    print(*lines, sep="\n", file=sys.stderr)
    sys.exit(code)


words = [word for word in arguments if not word.startswith("-")]
verb, name = words[0], arguments[arguments.index("--") + 1]
machine = [word.removeprefix("--machine=") for word in arguments if word.startswith("--machine=")]
scope = machine[0] if machine else "user" if "--user" in arguments else "system"
if not state["booted"]:
    refuse("System has not been booted with systemd as init system (PID 1). Can't operate.",
           "Failed to connect to bus: Host is down")
if scope == "user" and "XDG_RUNTIME_DIR" not in os.environ:
    refuse("Failed to connect to bus: No medium found")
unit = state["units"].get(scope + "/" + name)
if verb == "show":
    defaults = {{
        "MainPID": "0", "ExecMainPID": "0", "ExecMainCode": "0", "ExecMainStatus": "0",
        "InvocationID": "", "Environment": "", "User": "",
        "LoadState": "not-found", "ActiveState": "inactive", "Job": "",
    }}
    wanted = [word for word in arguments if word.startswith("--property=")][0].split("=", 1)[1].split(",")
    for key, value in (defaults | (unit or {{}})).items():
        if key in wanted:
            print(key + "=" + value)
    sys.exit(0)
if verb == "reset-failed":
    if unit is None or unit["ActiveState"] != "failed":
        refuse("Failed to reset failed state of unit %s: Unit %s not loaded." % (name, name))
    unit["ActiveState"] = "inactive"
elif unit is None or (verb == "kill" and unit["ActiveState"] == "inactive"):
    there = "not found" if verb == "start" else "not loaded"
    action = "kill unit" if verb == "kill" else verb
    refuse("Failed to %s %s: Unit %s %s." % (action, name, name, there), code=1 if verb == "kill" else 5)
elif unit.get("denied"):
    refuse("Failed to %s %s: Interactive authentication required." % (verb, name),
           "See system logs and 'systemctl status %s' for details." % name)
elif unit["LoadState"] == "masked":
    refuse("Failed to %s %s: Unit %s is masked." % (verb, name, name))
elif verb == "start":
    if unit["ActiveState"] == "failed":
        sys.exit(0)  # with --no-block, systemd says nothing of the start limit
    unit |= unit.get("started", {{"ActiveState": "active", "MainPID": "1", "ExecMainPID": "1"}})
elif verb == "stop":
    drains = unit.get("drains") and unit["MainPID"] != "0"
    unit |= {{"ActiveState": "deactivating", "Job": "62"}} if drains else {{
        "ActiveState": "inactive", "MainPID": "0", "ExecMainCode": "1", "ExecMainStatus": "0"}}
elif verb == "kill":
    stopping = unit["ActiveState"] == "deactivating"
    unit |= {{"ActiveState": "failed" if stopping else "activating", "MainPID": "0", "Job": "",
             "ExecMainCode": "2", "ExecMainStatus": "9"}}
json.dump(state, open(state_file, "w"))
"""

_LAUNCHCTL = r"""#!{python} -IS
import json, sys, time

state_file, calls_file = {state!r}, {calls!r}
state = json.load(open(state_file))
verb, *rest = sys.argv[1:]
open(calls_file, "a").write(json.dumps([verb, *rest]) + "\n")
if state.get("hang") == verb:
    time.sleep(3600)


def refuse(text, code):
    print(text, file=sys.stderr)
    sys.exit(code)


jobs = state["jobs"]
if verb == "list":
    print("PID\tStatus\tLabel")
    for target, job in jobs.items():
        if job["loaded"] and target.startswith(state["domain"] + "/"):
            print("%s\t%s\t%s" % (job["pid"] or "-", job.get("status", 0), target.split("/")[-1]))
    sys.exit(0)
if verb == "bootstrap":
    if state.get("unloading", 0) > 0:
        state["unloading"] -= 1
        json.dump(state, open(state_file, "w"))
        refuse("Bootstrap failed: 5: Input/output error", 5)
    target = rest[0] + "/" + rest[1].split("/")[-1].removesuffix(".plist")
    if target not in jobs:
        refuse("Bootstrap failed: 5: No such file", 5)
    jobs[target]["loaded"] = True
else:
    target = rest[-1]
    job = jobs.get(target)
    if verb != "enable" and (job is None or not job["loaded"]):
        domain, _, label = target.rpartition("/")
        refuse('Could not find service "%s" in domain for %s' % (label, domain), 113)
    if verb == "print":
        print("%s = {{\n\tactive count = 1\n\tstate = running\n" % target)
        if job["pid"]:
            print("\tpid = %d" % job["pid"])
        print("\tlast exit code = %s" % job.get("exit", "(never exited)"))
        if "signal" in job:
            print("\tlast terminating signal = %s" % job["signal"])
        print("}}")
        sys.exit(0)
    if job is not None and job.get("denied"):
        refuse("Not privileged to signal service.", 1)
    if verb == "kickstart":
        job["pid"] = job.get("next_pid", 4242)
    elif verb == "bootout":
        if job.get("drains"):
            refuse("Boot-out failed: 36: Operation now in progress", 36)
        job |= {{"loaded": False, "pid": None}}
json.dump(state, open(state_file, "w"))
"""


_JOURNALCTL = r"""#!{python} -IS
import json, sys, time

state_file, calls_file = {state!r}, {calls!r}
state = json.load(open(state_file))
arguments = sys.argv[1:]
open(calls_file, "a").write(json.dumps(["journalctl", *arguments]) + "\n")
if state.get("hang") == "journalctl":
    time.sleep(3600)
if state.get("unreadable"):
    print("No journal files were opened due to insufficient permissions.", file=sys.stderr)
    sys.exit(1)
options = dict(word.partition("=")[::2] for word in arguments)
lines = state["journal"].get(options["_SYSTEMD_INVOCATION_ID"], [])
limit = int(options["--lines"])
if "--after-cursor" in options:
    begin = int(options["--after-cursor"].removeprefix("s=1f;i="))
    end = min(len(lines), begin + limit)
else:
    begin, end = max(0, len(lines) - limit), len(lines)
if not end:
    sys.exit(1)
for line in lines[begin:end]:
    print(line)
print("-- cursor: s=1f;i=%d" % end)
"""


@dataclass(frozen=True)
class FakeServiceManager:
    """The folder with the executables, and what they know."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of every call so far."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def orders(self) -> list[str]:
        """What was asked for beside questions, in order."""
        questions = ("show", "print", "list", "journalctl")
        calls = [[word for word in call if not word.startswith("-")] for call in self.calls]
        return [call[0] for call in calls if call[0] not in questions]

    def set(self, **state: Any) -> None:
        """Change what they know: `booted`, `hang` (a word), `domain`, `unloading`, `unreadable` (journal)."""
        self._write(self._read() | state)

    def unit(self, name: str, *, scope: str = "user", **properties: Any) -> None:
        """Put a systemd unit there; `scope` is `system`, `user`, or an account and an at sign."""
        state = self._read()
        fresh = {"LoadState": "loaded", "ActiveState": "inactive", "MainPID": "0"}
        state["units"][f"{scope}/{name}"] = state["units"].get(f"{scope}/{name}", fresh) | properties
        self._write(state)

    def writes(self, invocation: str, *lines: str) -> None:
        """Add lines to what the journal has of one run of a unit."""
        state = self._read()
        state["journal"].setdefault(invocation, []).extend(lines)
        self._write(state)

    def job(self, target: str, **properties: Any) -> None:
        """Put a launchd job there, such as `gui/501/ai.openclaw.gateway`."""
        state = self._read()
        state["jobs"][target] = {"loaded": True, "pid": None} | properties
        self._write(state)

    def _read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "state").read_text())
        return state

    def _write(self, state: dict[str, Any]) -> None:
        (self.folder / "state").write_text(json.dumps(state))


def install_fake_service_manager(folder: Path) -> FakeServiceManager:
    """Put the executables into `folder`; they have no units yet."""
    fake = FakeServiceManager(folder)
    fake.bin.mkdir(parents=True)
    names = {"state": str(folder / "state"), "calls": str(folder / "calls")}
    state = {"booted": True, "units": {}, "jobs": {}, "domain": "system", "journal": {}}
    (folder / "state").write_text(json.dumps(state))
    scripts = {"systemctl": _SYSTEMCTL, "launchctl": _LAUNCHCTL, "journalctl": _JOURNALCTL}
    for name, script in scripts.items():
        (fake.bin / name).write_text(script.format(python=sys.executable, **names))
        (fake.bin / name).chmod(0o755)
    return fake
