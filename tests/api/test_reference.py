"""The API reference: what the repository holds is what the api says of itself."""

import sys
from pathlib import Path

import pytest

from buddy_api import reference

FILE = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_reference_in_the_repository_is_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = tmp_path / "api.md"
    monkeypatch.setattr(sys, "argv", ["reference", str(written)])

    reference.main()

    assert written.read_text() == FILE.read_text(), "`make docs` writes it anew"


def test_every_route_and_every_link_leads_somewhere() -> None:
    text = FILE.read_text()
    headings = {line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("###")}
    links = {part.partition(")")[0] for part in text.split("](#")[1:]}

    assert links <= headings
    for path, operations in reference.document()["paths"].items():
        for method in operations:
            assert f"`{method} {path}`".lower() in headings
