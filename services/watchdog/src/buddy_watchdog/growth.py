"""How the gateway's resident memory grows: pure."""

from dataclasses import dataclass, replace
from statistics import StatisticsError, linear_regression

from buddy_common.schemas.processes import ProcessIdentity
from buddy_watchdog.evidence import Evidence

EVERY_SECONDS = 60.0
MOST_SIZES = 60  # an hour
FEWEST_SIZES = 6  # a start makes room for five minutes
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Growth:
    """What one process has needed, a size a minute."""

    process: ProcessIdentity | None = None
    sizes: tuple[tuple[float, int], ...] = ()

    @property
    def megabytes_per_hour(self) -> float | None:
        """How fast it grows, by all sizes that are kept; None while these are too few."""
        if len(self.sizes) < FEWEST_SIZES:
            return None
        hours = [at / 3600 for at, _ in self.sizes]
        try:
            slope, _ = linear_regression(hours, [size / _MEGABYTE for _, size in self.sizes])
        except StatisticsError:  # all at one moment
            return None
        return round(slope, 1)


def remember_size(growth: Growth, evidence: Evidence) -> Growth:
    """Return what is known after this look."""
    if evidence.process is None:
        return growth  # of one that has just died it is part of why
    if evidence.process != growth.process:
        growth = Growth(evidence.process)
    if growth.sizes and evidence.at - growth.sizes[-1][0] < EVERY_SECONDS:
        return growth
    return replace(growth, sizes=(*growth.sizes, (evidence.at, evidence.snapshot.rss_bytes))[-MOST_SIZES:])
