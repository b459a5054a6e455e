"""Where a soak takes place: `buddy up` with all it starts, an OpenClaw, and the folder that holds both."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.writers import add_what_is_written
from e2e.machine import Buddy, Machine
from openclaw_system import running_system
from real_openclaw import Generation, RealOpenClaw

# incidents end, and a gateway that is silent is told, within the length of a run
ENVIRONMENT = {
    "BUDDY_STEADY_SECONDS": "10",
    "BUDDY_CHECK_INTERVAL_SECONDS": "5",
    "BUDDY_PROXY_SILENCE_SECONDS": "60",
}
_WORDS = {
    "buddy_cli.edge": "web",
    "buddy_watchdog": "watchdog",
    "celery": "flower",
}


@dataclass(frozen=True)
class Stage:
    """A system that runs."""

    buddy: Buddy
    machine: Machine
    real: RealOpenClaw

    @property
    def config_file(self) -> Path:
        """Its `openclaw.json`."""
        return self.real.config_file

    @property
    def workspace(self) -> Path:
        """Where the files of bot_1 are."""
        return self.real.config_dir / "workspace-bot_1"

    @property
    def openclaw(self) -> str:
        """The version of OpenClaw."""
        return self.real.found.version

    def parts(self) -> dict[str, psutil.Process]:
        """Return the processes that a schedule may hit, and the supervisor, by name; those that are there.

        They are known by their command lines: what `buddy up` writes down of them is not taken for granted.
        """
        found: dict[str, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            supervisor = psutil.Process(self.buddy.process.pid)
            found["supervisor"] = supervisor
            for child in supervisor.children():
                with contextlib.suppress(psutil.Error):
                    found[_name(child.cmdline())] = child
        for gateway in self.machine.gateways():
            found["gateway"] = gateway
        found.pop("", None)
        return found

    def strangers(self) -> list[str]:
        """Return what runs here and descends neither from the supervisor nor from the gateway's keeper."""
        roots = list(self.parts().values())
        roots += [parent for gateway in self.machine.gateways() if (parent := gateway.parent()) is not None]
        known = {root.pid for root in roots}
        for root in roots:
            if root.pid != 1:  # a keeper that is gone has left the gateway to it
                with contextlib.suppress(psutil.Error):
                    known |= {child.pid for child in root.children(recursive=True)}
        return [show(process) for process in self.running() if process.pid not in known]

    def running(self) -> list[psutil.Process]:
        """Return all processes of this machine."""
        return [*self.machine.services(), *self.machine.openclaws()]


def show(process: psutil.Process) -> str:
    """Return what a process is."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        return f"{process.pid} (gone)"


@contextlib.contextmanager
def running_stage(folder: Path) -> Iterator[Stage]:
    """Start everything with the real OpenClaw; nothing of it is left afterwards."""
    with running_system(Generation.NEW, folder, **ENVIRONMENT) as system:
        system.openclaw.edit(add_what_is_written)
        stage = Stage(system.buddy, system.buddy.machine, system.openclaw)
        stage.workspace.mkdir()  # OpenClaw makes it with the first talk
        system.heal(on=True)
        yield stage


def _name(command: list[str]) -> str:
    text = " ".join(command)
    if "buddy_worker" in command:
        return f"worker-{command[command.index('--lane') + 1]}"
    if "broker.conf" in text or "valkey" in text or "redis-server" in text:
        return "broker"
    return next((name for word, name in _WORDS.items() if word in command), "")
