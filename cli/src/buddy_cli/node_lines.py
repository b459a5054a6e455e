"""Which Node.js an OpenClaw gets: for each line of Node.js one lock file with the hashes of its wheels."""

from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.openclaw_version import version_key

NEWEST = 24
# `engines.node` of the package `openclaw`: >=22.14 for 2026.3.28 and never more than >=22.19 up to 2026.6;
# from 2026.7.1 on >=22.22.3 or >=24.15, and since 2026.9.5 >=24.16. There is no wheel of a 22.22.
LAST_MONTHS = {22: (2026, 6)}


@dataclass(frozen=True)
class NodeLine:
    """One line of Node.js, and the release of it that is pinned."""

    major: int

    @property
    def lock(self) -> Path:
        """The requirements file for pip."""
        return Path(__file__).with_name(f"node-{self.major}.lock")

    @property
    def version(self) -> str:
        """The release that the lock file pins."""
        return self.lock.read_text().split("==", 1)[1].split(maxsplit=1)[0]


def node_line(openclaw_version: str) -> NodeLine:
    """Return the line for a version `year.month.patch`; one that is not known yet gets the newest."""
    month = version_key(openclaw_version)[:2]
    older = [major for major, last_month in LAST_MONTHS.items() if month <= last_month]
    return NodeLine(min(older, default=NEWEST))
