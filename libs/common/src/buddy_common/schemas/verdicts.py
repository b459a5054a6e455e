"""The watchdog's word for the state of a gateway."""

from enum import StrEnum


class Verdict(StrEnum):
    """What is the matter with a gateway. `docs/watchdog.md` says which evidence gives which."""

    READY = "ready"
    STARTING = "starting"
    DRAINING = "draining"
    DEGRADED = "degraded"  # it answers, but channels are down or its event loop is slow
    HUNG = "hung"  # it accepts connections and does not answer
    CRASHED = "crashed"
    CRASH_LOOP = "crash_loop"
    CONFIG_ERROR = "config_error"  # it does not start with this config
    CONFIG_BROKEN = "config_broken"  # the file is broken, the gateway still runs on the one before
    PORT_TAKEN = "port_taken"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    SAFE_MODE = "safe_mode"  # it runs without the plugins or channels that are in quarantine
    STOPPED = "stopped"  # on purpose
    NOT_INSTALLED = "not_installed"


# from best to worst: of several looks, the worst is shown
SEVERITY: tuple[Verdict, ...] = (
    Verdict.READY,
    Verdict.SAFE_MODE,
    Verdict.STOPPED,
    Verdict.DRAINING,
    Verdict.STARTING,
    Verdict.DEGRADED,
    Verdict.CONFIG_BROKEN,
    Verdict.NOT_INSTALLED,
    Verdict.DISK_FULL,
    Verdict.PORT_TAKEN,
    Verdict.HUNG,
    Verdict.CRASHED,
    Verdict.OUT_OF_MEMORY,
    Verdict.CONFIG_ERROR,
    Verdict.CRASH_LOOP,
)
