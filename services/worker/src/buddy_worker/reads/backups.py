"""What the api asks about backups; the secrets in them stay on this host."""

from collections.abc import Mapping
from typing import Any

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.config_compare import UnreadableTextError, compare, masked_text
from buddy_common.errors import BuddyError
from buddy_common.schemas.backups import CURRENT, ROOT, Backup, BackupQuestion


def read_backups(history: ConfigHistory, files: LiveConfig, question: BackupQuestion) -> dict[str, Any]:
    """Return the list, one backup or a difference; blocking.

    Raises:
        UnknownBackupError: one that is named is not there.
    """
    if question.name is None:
        return _listing(history, files, question)
    if question.against is None:
        backup, contents = history.get(question.name)
        return _row(backup, files) | _contents(files.named(contents))
    return _difference(history, files, question.name, question.against)


def _listing(history: ConfigHistory, files: LiveConfig, question: BackupQuestion) -> dict[str, Any]:
    kept = history.listing()
    rest = kept if question.before is None else _older(kept, question.before)
    page = rest[: question.limit]
    live = files.look()
    return {
        "backups": [_row(backup, files) for backup in page],
        "total": len(kept),
        "more": len(page) < len(rest),
        "current": None
        if live is None
        else {
            "hash": files.hash(),
            "size": len(live.content),
            "updatedAt": live.updated_at.isoformat(),
        },
    }


def _older(kept: list[Backup], name: str) -> list[Backup]:
    """Return those after `name`; one that was let go meanwhile still says when it was made."""
    names = [backup.name for backup in kept]
    if name in names:
        return kept[names.index(name) + 1 :]
    return [backup for backup in kept if backup.name < name]


def _row(backup: Backup, files: LiveConfig) -> dict[str, Any]:
    return {
        "name": backup.name,
        "hash": backup.hash,
        "size": backup.size,
        "reason": backup.reason,
        "createdAt": backup.created_at.isoformat(),
        "taskID": backup.task_id,
        "files": list(files.named(dict.fromkeys(backup.files, b""))),
    }


def _contents(contents: Mapping[str, bytes]) -> dict[str, Any]:
    return {"contents": [_shown(name, contents[name]) for name in _in_order(contents)]}


def _shown(name: str, content: bytes) -> dict[str, Any]:
    text, problem = None, None
    try:
        text = masked_text(_text(content))
    except UnreadableTextError as exc:
        problem = str(exc)
    return {"file": name, "size": len(content), "content": text, "problem": problem}


def _difference(history: ConfigHistory, files: LiveConfig, name: str, against: str) -> dict[str, Any]:
    """Compare file by file: what was added since the backup counts as added."""
    old = files.named(history.get(name)[1])
    new: Mapping[str, bytes] = {}
    problems: list[str] = []
    if against == CURRENT:
        try:
            new = files.read()
        except BuddyError as exc:
            problems.append(exc.message)
    else:
        new = files.named(history.get(against)[1])
    diffs: list[str] = []
    changes: list[dict[str, Any]] = []
    stats = {"added": 0, "removed": 0, "changed": 0}
    for file in _in_order({**old, **new}):
        before, after = (_text(side.get(file, b"")) for side in (old, new))
        found = compare(before, after, labels=(f"{file} ({name})", f"{file} ({against})"))
        problems += [f"{file}: {found.problem}"] if found.problem else []
        diffs += [found.diff] if found.diff else []
        changes += [{"file": file, **change.model_dump()} for change in found.changes]
        stats = {key: count + getattr(found.stats, key) for key, count in stats.items()}
    return {
        "name": name,
        "against": against,
        "identical": old == new,
        "diff": "\n".join(diffs),
        "stats": stats,
        "changes": changes,
        "problem": " ".join(problems) or None,
    }


def _in_order(contents: Mapping[str, bytes]) -> list[str]:
    """The root file first."""
    return sorted(contents, key=lambda name: (name != ROOT, name))


def _text(content: bytes) -> str:
    """What is no UTF-8 is shown as such; OpenClaw reads it in the same way."""
    return content.decode("utf-8-sig", "replace")
