"""What bots, providers, models and plugins may be called, wherever such a name comes from outside."""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

# OpenClaw would silently change others
BOT_ID = r"^[a-z0-9][a-z0-9_-]{0,63}$"
NAME = r"^[A-Za-z0-9@][A-Za-z0-9_.@/-]{0,127}$"
_LONGEST_PART = 255  # bytes of a folder's name, on Linux and macOS


def _no_way_up(name: str) -> str:
    if ".." in name:
        raise ValueError("`..` is in no name")
    return name


def _no_prototype(name: str) -> str:
    # as the key of an object, these are something else in JavaScript
    if name in ("__proto__", "constructor", "prototype"):
        raise ValueError("OpenClaw takes nothing of this name")
    return name


def _no_empty_part(model: str) -> str:
    if "" in model.split("/"):
        raise ValueError("a `/` stands between two names")
    return model


def _no_control(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):  # noqa: PLR2004 - ASCII
        raise ValueError("it holds control characters")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("it holds half of a surrogate pair") from exc
    return text


def _absolute(path: str) -> str:
    parts = PurePosixPath(path)
    if not parts.is_absolute() or ".." in parts.parts:
        raise ValueError("give an absolute path without `..`")
    return path


def _short_parts(path: str) -> str:
    if any(len(part.encode()) > _LONGEST_PART for part in path.split("/")):
        raise ValueError("a folder's name is too long")
    return path


BotId = Annotated[str, StringConstraints(pattern=BOT_ID), AfterValidator(_no_prototype)]
ProviderName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9@][A-Za-z0-9_.@-]{0,63}$"),
    AfterValidator(_no_way_up),
    AfterValidator(_no_prototype),
]
PluginId = Annotated[
    str, StringConstraints(pattern=NAME), AfterValidator(_no_way_up), AfterValidator(_no_prototype)
]
# may hold `/`, `:` and `.`; never looks like an option
ModelRef = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9@][A-Za-z0-9_.:@/+-]{0,191}$"),
    AfterValidator(_no_way_up),
    AfterValidator(_no_empty_part),
]
# shown to people
Label = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_no_control)]
FolderPath = Annotated[
    str,
    StringConstraints(min_length=2, max_length=512),
    AfterValidator(_no_control),
    AfterValidator(_absolute),
    AfterValidator(_short_parts),
]
# of a deleted bot
ArchiveName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}@[0-9]{8}-[0-9]{6}(-[0-9]{1,6})?$")
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
