"""Processes of this host, named so that a reused pid is never mistaken for the old process."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProcessIdentity:
    """A process: its pid together with its start time, in seconds after boot.

    Such a time is the same for whoever looks, and stays when the clock is set.
    Of a process of another user the system may not say more than that it is there: then `started` is 0,
    and so is the pid where only its port is known.
    """

    pid: int
    started: float
    name: str = field(compare=False)
    is_gateway: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else self.name


@dataclass(frozen=True)
class ProcessExit:
    """How a process ended: exactly one of the two is set, or neither when nobody recorded it."""

    code: int | None = None
    signal: str | None = None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by {self.signal}"
        return "exit code unknown" if self.code is None else f"exit code {self.code}"


@dataclass(frozen=True)
class ProcessUsage:
    """What a process uses; CPU in percent of one core since the last look."""

    cpu_percent: float
    rss_bytes: int
    age_seconds: float
    stopped: bool = False  # SIGSTOP: it accepts connections and answers none
