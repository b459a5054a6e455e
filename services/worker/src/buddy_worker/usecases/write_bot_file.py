"""Write a file of a bot's workspace."""

import asyncio
from pathlib import Path

from buddy_common.adapters.agent_file_writer import FileFacts, write_agent_file
from buddy_common.adapters.finishing import to_its_end
from buddy_worker.audited import Audited, Made


class BotFileWritten(Audited):
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
        name=name,
        size=written.size,
        etag=written.tag,
        updatedAt=written.updated_at.isoformat(),
        made=[Made(name, _seen(written.before), _seen(written.now))],
    )


def _seen(known: FileFacts | None) -> dict[str, object] | None:
    return None if known is None else {"size": known.size, "sha256": known.sha256}
