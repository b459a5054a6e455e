"""The job that writes a file of a bot's workspace."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from buddy_common.schemas.job import Job, Lane

MAX_FILE_BYTES = 2 * 1024 * 1024
_TARGET_CHARACTERS = 256  # the column's width


def _writable(text: str) -> str:
    try:
        content = text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("half of a surrogate pair is no text") from exc
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"at most {MAX_FILE_BYTES} bytes of UTF-8")
    return text


FileContent = Annotated[str, AfterValidator(_writable)]


class WriteBotFileJob(Job):
    """Write one file of a bot's workspace, whole or not at all."""

    task: ClassVar[str] = "buddy.bots.write_file"
    title: ClassVar[str] = "Write bot file"
    module: ClassVar[str] = "bots"
    action: ClassVar[str] = "write_file"
    lane: ClassVar[Lane] = Lane.FAST
    deadline_seconds: ClassVar[float] = 60  # milliseconds, unless the disk or the node's reader hangs
    bulky_fields: ClassVar[frozenset[str]] = frozenset({"content"})
    # no lock of the node: an install would hold a note up for minutes; writers take turns at the folder

    bot: str
    name: str
    content: FileContent
    if_match: tuple[str, ...] | None = None  # tags of what may be written over, `*`: whatever is there

    @property
    def target(self) -> str | None:
        """The bot and its file."""
        return f"{self.bot}/{self.name}"[:_TARGET_CHARACTERS]
