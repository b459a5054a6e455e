"""Reports are files of one folder, and nothing else is."""

import os
from pathlib import Path

import pytest

from buddy_common.adapters.reports import Reports
from buddy_common.errors import StateUnwritableError, UnknownReportError


def names(reports: Reports) -> list[str]:
    return [report.name for report in reports.listing()]


def test_a_report_comes_back_as_it_was_written_last(tmp_path: Path) -> None:
    reports = Reports(tmp_path / "reports")
    reports.write("i1.md", "one")
    reports.write("i1.md", "两")

    report, text = reports.get("i1.md")
    assert text == "两"
    assert (report.name, report.size) == ("i1.md", 3)
    assert names(reports) == ["i1.md"]


def test_the_newest_is_first_and_the_oldest_go(tmp_path: Path) -> None:
    reports = Reports(tmp_path, keep=3)
    for number in range(5):
        reports.write(f"i{number}.md", "x")
        os.utime(tmp_path / f"i{number}.md", (1000 + number, 1000 + number))
    reports.write("i5.md", "x")

    assert names(reports) == ["i5.md", "i4.md", "i3.md"]


def test_a_report_is_private(tmp_path: Path) -> None:
    Reports(tmp_path).write("i1.md", "x")

    assert (tmp_path / "i1.md").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name", ["../a.md", "/etc/passwd", "a/b.md", ".md", "..md", "a.txt", "a.md\n", "", "-a.md"]
)
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    reports = Reports(tmp_path / "reports")

    with pytest.raises(UnknownReportError):
        reports.get(name)
    with pytest.raises(UnknownReportError):
        reports.write(name, "x")


def test_a_link_in_the_folder_leads_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "i1.md").symlink_to(tmp_path / "secret")

    assert names(Reports(folder)) == []
    with pytest.raises(UnknownReportError):
        Reports(folder).get("i1.md")


def test_where_there_is_no_folder_there_are_no_reports(tmp_path: Path) -> None:
    assert names(Reports(tmp_path / "none")) == []


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnwritableError):
        Reports(tmp_path / "file" / "reports").write("i1.md", "x")
