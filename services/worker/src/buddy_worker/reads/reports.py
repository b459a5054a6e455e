"""What the api asks about reports of incidents; they were masked when they were written."""

from typing import Any

from buddy_common.adapters.reports import Report, Reports
from buddy_common.schemas.heal_views import ReportQuestion


def read_reports(reports: Reports, question: ReportQuestion) -> dict[str, Any]:
    """Return the list, the newest first, or one report with its text; blocking.

    Raises:
        UnknownReportError: the one that is named is not there.
    """
    if question.name is not None:
        report, text = reports.get(question.name)
        return _row(report) | {"content": text}
    kept = reports.listing()
    rest = kept if question.before is None else _older(kept, question.before)
    page = rest[: question.limit]
    return {
        "reports": [_row(report) for report in page],
        "total": len(kept),
        "more": len(page) < len(rest),
    }


def _older(kept: list[Report], name: str) -> list[Report]:
    """Return those after `name`; nothing where it is not there any more: then none older is, either."""
    names = [report.name for report in kept]
    return kept[names.index(name) + 1 :] if name in names else []


def _row(report: Report) -> dict[str, Any]:
    return {"name": report.name, "size": report.size, "updatedAt": report.updated_at.isoformat()}
