"""What the security suite looked at, as the table at its end."""

from dataclasses import dataclass, field


@dataclass
class _Row:
    looked: dict[str, int] = field(default_factory=dict)
    findings: int = 0


_ROWS: dict[str, _Row] = {}


def add(what: str, looked: dict[str, int], findings: int) -> None:
    """Add to a line of the table: how many of which kind were looked at, and what was found."""
    row = _ROWS.setdefault(what, _Row())
    for kind, number in looked.items():
        row.looked[kind] = row.looked.get(kind, 0) + number
    row.findings += findings


def table() -> list[str]:
    """Return the table; empty when nothing was looked at."""
    if not _ROWS:
        return []
    wide = max(len(what) for what in _ROWS)
    lines = [f"{'checked':<{wide}}  findings  looked at"]
    for what, row in _ROWS.items():
        looked = ", ".join(f"{number} × {kind}" for kind, number in row.looked.items())
        lines.append(f"{what:<{wide}}  {row.findings:>8}  {looked or 'nothing: see why it was skipped'}")
    return lines
