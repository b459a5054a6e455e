"""Write a file of a bot's workspace."""

import asyncio
from pathlib import Path

from pydantic import BaseModel

from buddy_common.adapters.agent_file_writer import write_agent_file
from buddy_common.adapters.finishing import to_its_end


class BotFileWritten(BaseModel):
    """The file as it was read back."""

    name: str
    size: int
    etag: str
    updatedAt: str  # noqa: N815 - as in the answer that reads it


async def write_bot_file(
    workspace: Path, *, name: str, content: str, if_match: tuple[str, ...] | None
) -> BotFileWritten:
    """Write the text as UTF-8, whole or not at all, and read it back.

    Raises:
        FileChangedError: it is not the file that the client has seen; it is as it was.
        BotFileError: it lies outside of the workspace, or is none that can be written.
        StateUnwritableError: the disk is full or read-only; the old file is untouched.
    """
    # whoever is cancelled meanwhile still learns what came of it: a thread cannot be stopped
    written = await to_its_end(
        asyncio.to_thread(write_agent_file, workspace, name, content.encode(), if_match=if_match)
    )
    return BotFileWritten(
        name=name, size=written.size, etag=written.tag, updatedAt=written.updated_at.isoformat()
    )
