"""What to write so that our changes of the config are gone, and those of others are not."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.config_files import ConfigFiles, ConfigState
from buddy_common.config_diff import KeyChange, changes_between, value_at
from buddy_common.errors import GatewayConfigError, IncludeUnsupportedError
from buddy_worker.usecases.patch_config import OPENCLAWS_OWN

# what `openclaw plugins` writes: entries, records and lists of plugins, and the channels that they bring
_COMMANDS_OWN = frozenset({"plugins", "channels"})


@dataclass(frozen=True)
class AsBefore:
    """The files to write, and what others have changed meanwhile."""

    files: Mapping[Path, bytes]
    theirs: Sequence[str] = ()  # paths in the config
    theirs_stay: bool = True


def as_before(
    files: ConfigFiles, before: ConfigState, now: ConfigState, changes: Sequence[KeyChange] | None
) -> AsBefore:
    """Return it; `changes` are ours, None means whatever OpenClaw's own command about plugins writes."""
    since = changes_between(before.config, now.config)
    if changes is None:
        changes = [change for change in since if change.path[0] in _COMMANDS_OWN]
    ours = {change.path for change in changes}
    theirs = [
        change.shown for change in since if change.path not in ours and change.path[0] not in OPENCLAWS_OWN
    ]
    whole = {path: content for path, content in before.files.items() if now.files.get(path) != content}
    if not theirs:
        return AsBefore(whole)
    if not changes:
        return AsBefore({}, theirs)
    back = [KeyChange(change.path, value_at(now.config, change.path), change.old) for change in changes]
    with suppress(IncludeUnsupportedError, GatewayConfigError):
        return AsBefore(files.edited(now, back), theirs)
    return AsBefore(whole, theirs, theirs_stay=False)
