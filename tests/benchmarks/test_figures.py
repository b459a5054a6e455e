"""The figures of the READMEs are those of the last report."""

import pytest
from bench.figures import BEGIN, END, FIGURES, HEADS, KEPT, FiguresError, filled
from bench.results import ROOT, Result, table

REPORT = table([Result(figure.what, "ms", 2.0, 8.0, figure.of) for figure in FIGURES])
TEXT = f"before\n{BEGIN}\nan old table\n{END}\nafter\n"


@pytest.mark.parametrize("readme", HEADS)
def test_a_readme_tells_what_the_report_on_record_does(readme: str) -> None:
    text = (ROOT / readme).read_text()

    assert filled(text, KEPT.read_text(), readme) == text


def test_a_block_is_written_anew_and_nothing_else_is_touched() -> None:
    text = filled(TEXT, REPORT, "README.md")

    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "an old table" not in text
    assert text.count("| 2.00 ms | 8.00 ms | 0.25 |") == len(FIGURES)


def test_a_figure_stands_beside_the_reference_that_it_names() -> None:
    other = table([Result(FIGURES[0].what, "ms", 1.0, 4.0, "something else")])

    text = filled(TEXT, f"{other}\n{REPORT}", "README.md")

    assert "| 1.00 ms |" not in text


def test_a_report_without_a_figure_is_refused() -> None:
    with pytest.raises(FiguresError, match="no row 'sessions, p50'"):
        filled(TEXT, table([]), "README.md")


def test_a_readme_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(FiguresError, match="lacks"):
        filled("no marks", REPORT, "README.md")
