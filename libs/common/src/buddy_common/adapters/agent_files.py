"""Reading the Markdown files of an agent's workspace, and never anything outside of it.

Source: OpenClaw's docs/concepts/agent-workspace.md.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buddy_common.errors import BotFileError, UnknownBotFileError
from buddy_common.schemas.bot_file_jobs import MAX_FILE_BYTES

TYPES = {
    "soul": "SOUL.md",
    "identity": "IDENTITY.md",
    "agents": "AGENTS.md",
    "tools": "TOOLS.md",
    "user": "USER.md",
    "memory": "MEMORY.md",
    "heartbeat": "HEARTBEAT.md",
}


@dataclass(frozen=True)
class AgentFile:
    """A file of a workspace; `name` is relative to it."""

    name: str
    content: str
    size: int
    updated_at: datetime


def read_agent_file(workspace: Path, name: str) -> AgentFile:
    """Return a file of the workspace; links are followed only inside of it.

    Raises:
        UnknownBotFileError: there is none.
        BotFileError: it lies outside, is no plain file, is too large, or is no text.
    """
    path = locate(workspace, name)
    try:
        # opened once and looked at afterwards: what was checked is what is read
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise UnknownBotFileError(name) from exc
    except OSError as exc:
        raise BotFileError(f"{name} cannot be read: {exc.strerror}.") from exc
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):  # before `fdopen`, which takes no folder and would leave it open
        os.close(handle)
        raise BotFileError(f"{name} is no plain file.")
    with os.fdopen(handle, "rb") as file:
        _check_open_file(workspace, handle, name)
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BotFileError(f"{name} is larger than {MAX_FILE_BYTES} bytes.")
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        raise BotFileError(f"{name} is no UTF-8 text.") from exc
    return AgentFile(name, text, len(content), datetime.fromtimestamp(found.st_mtime, UTC))


def file_tag(content: bytes) -> str:
    """Return the entity tag of a file with this content."""
    return f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def locate(workspace: Path, name: str) -> Path:
    """Return where the file is in the end, all links followed; it need not be there.

    Raises:
        BotFileError: that is outside of the workspace, or nowhere.
    """
    try:
        root = workspace.resolve()
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as exc:  # a loop of links, a NUL
        raise BotFileError(f"{name!r} names no file.") from exc
    if path == root or not path.is_relative_to(root):
        raise BotFileError(f"{name!r} lies outside of the bot's workspace.")
    return path


def _check_open_file(workspace: Path, handle: int, name: str) -> None:
    """A folder on the way may have become a link since we looked; Linux says what was opened in the end."""
    opened = Path(f"/proc/self/fd/{handle}")
    if opened.is_symlink() and not opened.resolve().is_relative_to(workspace.resolve()):
        raise BotFileError(f"{name!r} lies outside of the bot's workspace.")
