"""Who holds a claim: a worker process, named so that another can tell whether it still lives."""

import os
import socket
from dataclasses import dataclass
from functools import cached_property

from buddy_common.adapters import processes
from buddy_common.schemas.processes import ProcessIdentity

_FIELDS = 5


@dataclass(frozen=True)
class Owner:
    """A worker process. Its pid means something in its own pid namespace, and until the next boot."""

    hostname: str
    pid: int
    started: float
    namespace: str
    boot: str

    @classmethod
    def current(cls) -> "Owner":
        """Return this process."""
        me = processes.identify(os.getpid())
        if me is None:
            raise RuntimeError("a process that does not find itself")
        return cls(socket.gethostname(), me.pid, me.started, _namespace(), processes.boot_id()[:8])

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Read what `str` gave, None for what an earlier version wrote."""
        parts = text.split(":")
        if len(parts) != _FIELDS:
            return None
        hostname, pid, started, namespace, boot = parts
        try:
            return cls(hostname, int(pid), float(started), namespace, boot)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}:{self.started}:{self.namespace}:{self.boot}"

    @cached_property
    def _identity(self) -> ProcessIdentity:
        return ProcessIdentity(self.pid, self.started, "worker")

    def is_dead(self, *, seen_by: "Owner") -> bool | None:
        """Whether the process is gone; None when `seen_by` cannot tell, from another container or host."""
        if (self.namespace, self.hostname) != (seen_by.namespace, seen_by.hostname):
            return None
        if self.boot != seen_by.boot:
            return True
        return not processes.is_alive(self._identity)


def _namespace() -> str:
    """Return the pid namespace (pid_namespaces(7)); the same for all where there are none."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 - Path.stat would be the same call
    except OSError:
        return "0"
