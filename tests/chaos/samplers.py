"""Looks on from outside, in threads: at the processes, at the watchdog's files."""

import contextlib
import json
import os
import threading
import time
from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import psutil

from chaos.facts import Facts, Heal, Usage
from chaos.stage import Stage

JOURNAL_SECONDS = 0.2
GATEWAYS_SECONDS = 0.7
USAGE_SECONDS = 2.0
MEGABYTE = 1024 * 1024


class Sampler(ABC):
    """Looks again and again for as long as its block runs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.problem: Exception | None = None
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @abstractmethod
    def look(self) -> None:
        """Look once."""

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                self.look()
            except psutil.Error:  # a process that ended while it was looked at
                continue
            except Exception as exc:  # noqa: BLE001 - whoever started the thread reports it
                self.problem = exc
            self.looks += 1


class ProcessSampler(Sampler):
    """What the parts hold."""

    def __init__(self, stage: Stage, facts: Facts) -> None:
        super().__init__(USAGE_SECONDS)
        self._stage = stage
        self._facts = facts

    def look(self) -> None:
        """Note handles and memory of each part that is there."""
        for part, process in self._stage.parts().items():
            with contextlib.suppress(psutil.Error):
                handles, memory = process.num_fds(), process.memory_info().rss / MEGABYTE
                self._facts.usage.append(Usage(part, process.pid, time.time(), handles, memory))


class GatewaySampler(Sampler):
    """How many gateways run at the same time."""

    def __init__(self, stage: Stage, facts: Facts) -> None:
        super().__init__(GATEWAYS_SECONDS)
        self._stage = stage
        self._facts = facts

    def look(self) -> None:
        """Count them."""
        count = len(self._stage.machine.gateways())
        self._facts.gateways_at_once = max(self._facts.gateways_at_once, count)


class JournalKeeper(Sampler):
    """Keeps a second name of each file of events: the watchdog removes those that it has read."""

    def __init__(self, home: Path, kept: Path) -> None:
        super().__init__(JOURNAL_SECONDS)
        self._home = home
        self._kept = kept
        kept.mkdir()

    def look(self) -> None:
        """Link what is new."""
        for file in self._home.glob("nodes/*/record/events-*.jsonl"):
            with contextlib.suppress(OSError):  # linked already, gone, or no room for a name: the next look
                os.link(file, self._kept / file.name)

    def events(self) -> list[Heal]:
        """Return all whole lines that were ever written."""
        found = []
        for file in sorted(self._kept.iterdir()):
            lines = file.read_bytes().split(b"\n")[:-1]  # a torn line is the last, and counts as none
            found += [_heal(json.loads(line)) for line in lines]
        return found


def _heal(line: dict[str, Any]) -> Heal:
    at = datetime.fromisoformat(line["at"]).timestamp()
    return Heal(line["id"], line["incident"], line["kind"], at, line["repair"])
