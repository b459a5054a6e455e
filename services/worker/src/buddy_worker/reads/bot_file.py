"""One file of a bot's workspace, read for whoever asks."""

from pathlib import Path
from typing import Any

from buddy_common.adapters.agent_files import read_agent_file
from buddy_common.errors import UnknownBotError


def read_bot_file(bots: list[dict[str, Any]], *, bot: str, name: str) -> dict[str, Any]:
    """Return the file's text and what belongs to it; `updated_at` is RFC 3339.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownBotFileError: it has no such file.
        BotFileError: the file lies outside of its workspace, or is none that can be shown.
    """
    found = next((entry for entry in bots if entry["id"] == bot), None)
    if found is None or not found["workspace"]:
        raise UnknownBotError(bot)
    file = read_agent_file(Path(found["workspace"]).expanduser(), name)
    return {
        "name": file.name,
        "content": file.content,
        "size": file.size,
        "updatedAt": file.updated_at.isoformat(),
    }
