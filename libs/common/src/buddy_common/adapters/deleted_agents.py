"""What OpenClaw remembers of agents that it has deleted: nobody opens their sessions any more."""

import sqlite3
from contextlib import closing
from pathlib import Path

_STATE = Path("state", "openclaw.sqlite")
_BUSY_SECONDS = 5.0
_DELETED = "SELECT 1 FROM agent_deletion_journal WHERE agent_id = ?"


def is_remembered_as_deleted(config_dir: Path, agent: str) -> bool:
    """Whether a gateway would not work with an agent of this id that is in its config again.

    Blocks for milliseconds. OpenClaw before 2026.9 remembers none.
    """
    file = (config_dir / _STATE).absolute()
    try:  # read only, through OpenClaw's own write-ahead log: nothing of it is touched
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as state:
            return state.execute(_DELETED, (agent,)).fetchone() is not None
    except sqlite3.Error:  # no such file, or no such table
        return False
