"""What to write so that our changes of the config are gone, and those of others are not."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.config_files import ConfigFiles, ConfigState
from buddy_common.config_diff import KeyChange, changes_between, value_at
from buddy_common.errors import GatewayConfigError, IncludeUnsupportedError
from buddy_worker.usecases.patch_config import OPENCLAWS_OWN
from buddy_worker.usecases.plugin_keys import PluginKeys

Changes = Sequence[KeyChange] | PluginKeys


@dataclass(frozen=True)
class AsBefore:
    """The files to write, and what others have changed meanwhile."""

    files: Mapping[Path, bytes]
    ours: Sequence[str] = ()  # paths in the config that are as before with them
    theirs: Sequence[str] = ()  # paths that others have changed
    theirs_stay: bool = True


def as_before(files: ConfigFiles, before: ConfigState, now: ConfigState, changes: Changes) -> AsBefore:
    """Return it; `changes` are ours, or the keys of the plugin that OpenClaw's own command was about."""
    since = changes_between(before.config, now.config)
    if isinstance(changes, PluginKeys):
        undos = changes.undo(since, before=before.config, now=now.config)
        back = [undo.back for undo in undos if undo.back is not None]
        others = [undo.change for undo in undos if not undo.is_whole]
    else:
        back = [KeyChange(change.path, value_at(now.config, change.path), change.old) for change in changes]
        paths = {change.path for change in changes}
        others = [change for change in since if change.path not in paths]
    theirs = [change.shown for change in others if change.path[0] not in OPENCLAWS_OWN]
    ours = [change.shown for change in back]
    whole = {path: content for path, content in before.files.items() if now.files.get(path) != content}
    if not theirs:
        return AsBefore(whole, ours)
    if not back:
        return AsBefore({}, theirs=theirs)
    with suppress(IncludeUnsupportedError, GatewayConfigError):
        return AsBefore(files.edited(now, back), ours, theirs)
    return AsBefore(whole, ours, theirs, theirs_stay=False)
