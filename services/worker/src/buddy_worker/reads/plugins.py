"""The plugins that OpenClaw knows, bundled and installed."""

from typing import Any

from buddy_worker.reads.sources import Files, GatewayCalls, OpenClawCommands

# of the older generation, a schema of kilobytes per plugin: nothing for a list
_LEFT_OUT = frozenset({"configJsonSchema", "configSchema", "configUiHints"})


async def read_plugins(gateway: GatewayCalls, files: Files) -> list[dict[str, Any]]:
    """Ask the gateway; only the newer generation answers."""
    del files
    return _rows(await gateway.call("plugins.list"))


async def list_plugins(openclaw: OpenClawCommands, files: Files) -> list[dict[str, Any]]:
    """Ask the command; it works without a gateway."""
    del files
    return _rows(await openclaw.json("plugins", "list"))


def _rows(answer: Any) -> list[dict[str, Any]]:
    rows = answer.get("plugins") if isinstance(answer, dict) else None
    return [_row(row) for row in rows or [] if isinstance(row, dict)]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Both generations tell the status, under different names."""
    kept = {name: value for name, value in row.items() if name not in _LEFT_OUT}
    return kept | {"status": row.get("status") or row.get("state"), "enabled": row.get("enabled") is True}
