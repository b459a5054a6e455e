"""Which of the files that `$include` puts together owns a key, so that a change of it belongs there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from buddy_common.adapters.config_include import KEY
from buddy_common.config_diff import KeyPath, show_path
from buddy_common.errors import IncludeUnsupportedError


def owner_of(
    documents: Mapping[Path, dict[str, Any]], root: Path, path: KeyPath, folders: Mapping[Path, Path]
) -> tuple[Path, KeyPath]:
    """Return the file whose text decides what is at a path, and the path inside of it.

    `folders` says where to look for what a file includes, where that is not its own folder.

    Raises:
        IncludeUnsupportedError: several files decide.
    """
    file, inner = root, path
    node: Any = documents[root]
    for index, key in enumerate(path):
        if not isinstance(node, dict):
            break
        if KEY in node and key not in node:
            name = node[KEY]
            if not isinstance(name, str) or len(node) > 1:
                raise unsupported(path)
            file = (folders.get(file, file.parent) / name).resolve()
            inner, node = path[index:], documents.get(file)
            if node is None or KEY in node:  # one file that only includes another
                raise unsupported(path)
        node = node.get(key)
    return file, inner


def has_include(document: Any, path: KeyPath) -> bool:
    """Whether what is at the path in this document is, or holds, an include."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return _holds_include(document)


def _holds_include(value: Any) -> bool:
    if isinstance(value, dict):
        return KEY in value or any(map(_holds_include, value.values()))
    return isinstance(value, list) and any(map(_holds_include, value))


def unsupported(path: KeyPath) -> IncludeUnsupportedError:
    """Return the error for a path that several files decide."""
    return IncludeUnsupportedError(
        f"{show_path(path)} comes from several files that `$include` puts together. Edit them by hand."
    )
