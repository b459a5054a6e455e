"""OpenClaw's own copies of the last config that it took.

At its next start, or with its next command, the newer generation puts one of them back where the file looks
damaged to it: half as long as what it took last, or without the `meta` that this had. What was changed on
purpose may look the same. It reads `openclaw.json.last-good`, and `openclaw.json.bak`, the newest of a ring
of five.
"""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import structlog

from buddy_common.adapters.atomic_file import replace_file

log = structlog.get_logger(__name__)

SUFFIX = ".last-good"
RING = (".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4")


def keep_in_step(config_file: Path, content: bytes, *, has_meta: bool) -> None:
    """Give the copies, where there are any, what was just written, so that OpenClaw does not undo it."""
    copy, newest = (config_file.with_name(config_file.name + suffix) for suffix in (SUFFIX, RING[0]))
    looks_damaged = not has_meta or _is_half_of_any(content, (copy, newest))
    try:
        with suppress(FileNotFoundError):
            replace_file(copy, content, like=copy.stat())
        if looks_damaged and newest.exists():
            _make_newest(config_file, content)
    except OSError as exc:  # the config itself is written; the copies only guard it
        log.warning("last_good_copy_not_written", reason=exc.strerror)


def _is_half_of_any(content: bytes, copies: tuple[Path, Path]) -> bool:
    return any(2 * len(content) < copy.stat().st_size for copy in copies if copy.exists())


def _make_newest(config_file: Path, content: bytes) -> None:
    """Put it first into the ring; the others move on, as with each write of OpenClaw."""
    ring = [config_file.with_name(config_file.name + suffix) for suffix in RING]
    like = ring[0].stat()
    for earlier, later in reversed(list(pairwise(ring))):
        with suppress(FileNotFoundError):
            earlier.replace(later)
    replace_file(ring[0], content, like=like)
