"""Hold a change to the config that its client has seen: somebody else may have written since."""

from typing import Any

from buddy_common.adapters.config_files import ConfigState
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.config_diff import shown_changes
from buddy_common.errors import ConfigChangedError, GatewayConfigError


def require_base(host: HostPlane, base_hash: str | None, state: ConfigState) -> None:
    """Require the config to be the one that the client names, where it names one. Blocks.

    Raises:
        ConfigChangedError: it is another one; what has changed is told, where that one is kept.
    """
    if base_hash is not None and base_hash != state.hash:
        raise ConfigChangedError(current=state.hash, changes=_since(host, base_hash, state))


def _since(host: HostPlane, seen: str, state: ConfigState) -> list[dict[str, Any]] | None:
    """Return what has changed since the client saw the config, secrets masked; None where none knows."""
    kept = host.history.with_hash(seen)
    if kept is None:
        return None
    try:
        before = host.config_files.effective(kept[1])
    except GatewayConfigError:  # it was broken then
        return None
    return shown_changes(before, state.config)
