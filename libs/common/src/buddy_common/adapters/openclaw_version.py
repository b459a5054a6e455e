"""OpenClaw's versions, and the two generations of it that behave differently."""

import re

# the newest version that was measured to behave as the old generation does
_OLD_GENERATION = (2026, 3, 28)


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions sort by, as in `2026.9.6`; a suffix such as `-beta.1` does not count."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def is_old_generation(version: str) -> bool:
    """Whether this version is no newer than the old generation that is known."""
    return version_key(version) <= _OLD_GENERATION
