"""Whether the gateway's chat API is on."""

from typing import Any

from buddy_common.adapters.openclaw_config import chat_enabled
from buddy_worker.reads.sources import Files


def chat_of(files: Files) -> dict[str, Any]:
    """Return the switch as the file has it; both generations follow the file."""
    return {"enabled": chat_enabled(files.config)}
