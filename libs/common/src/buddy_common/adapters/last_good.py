"""OpenClaw's own copy of the last config that it took.

The newer generation puts that copy back at its next start, or with its next command, where the file looks
damaged to it: half as long as the copy, or without the `meta` that the copy has. What was changed on purpose
may look the same.
"""

from pathlib import Path

import structlog

from buddy_common.adapters.atomic_file import replace_file

log = structlog.get_logger(__name__)

SUFFIX = ".last-good"


def keep_in_step(config_file: Path, content: bytes) -> None:
    """Give the copy, where there is one, what was just written, so that OpenClaw does not undo it."""
    copy = config_file.with_name(config_file.name + SUFFIX)
    try:
        replace_file(copy, content, like=copy.stat())
    except FileNotFoundError:
        return
    except OSError as exc:  # the config itself is written; the copy only guards it
        log.warning("last_good_copy_not_written", reason=exc.strerror)
