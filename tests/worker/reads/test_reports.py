"""What is told of reports."""

import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.reports import Reports
from buddy_common.errors import UnknownReportError
from buddy_common.schemas.heal_views import ReportQuestion
from buddy_worker.reads.reports import read_reports


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    found = Reports(tmp_path)
    for number in range(5):
        found.write(f"i{number}.md", f"# {number}\n")
        os.utime(tmp_path / f"i{number}.md", (1000 + number, 1000 + number))
    return found


def ask(reports: Reports, **question: Any) -> dict[str, Any]:
    return read_reports(reports, ReportQuestion(**question))


def test_pages_are_newest_first_and_lead_through_all(reports: Reports) -> None:
    first = ask(reports, limit=3)
    rest = ask(reports, limit=3, before=first["reports"][-1]["name"])

    assert [row["name"] for row in first["reports"]] == ["i4.md", "i3.md", "i2.md"]
    assert (first["total"], first["more"]) == (5, True)
    assert [row["name"] for row in rest["reports"]] == ["i1.md", "i0.md"]
    assert rest["more"] is False


def test_a_page_after_a_report_that_is_gone_is_empty(reports: Reports) -> None:
    assert ask(reports, before="gone.md")["reports"] == []


def test_a_report_comes_with_its_text(reports: Reports) -> None:
    assert ask(reports, name="i3.md") == {
        "name": "i3.md",
        "size": 4,
        "updatedAt": "1970-01-01T00:16:43+00:00",
        "content": "# 3\n",
    }


def test_an_unknown_report_is_told(reports: Reports) -> None:
    with pytest.raises(UnknownReportError):
        ask(reports, name="i9.md")
