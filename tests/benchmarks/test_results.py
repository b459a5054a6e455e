"""The rows of the benchmarks' table."""

from pathlib import Path

import pytest
from bench.results import ROWS_FILE, Result, count_missed, keep, kept, table


def result(ours: float, **bounds: float) -> Result:
    return Result("lists, p50", "ms", ours, 2.0, "bare route", **bounds)


@pytest.mark.parametrize(
    ("ours", "bounds", "told"),
    [
        (5.9, {"at_most": 3.0}, "≤ 3 ✓"),
        (6.1, {"at_most": 3.0}, "≤ 3 ✗"),
        (0.4, {"at_least": 0.15}, "≥ 0.15 ✓"),
        (0.2, {"at_least": 0.15}, "≥ 0.15 ✗"),
        (9.0, {}, ""),
    ],
)
def test_row_tells_whether_its_ratio_is_what_is_wanted(
    ours: float, bounds: dict[str, float], told: str
) -> None:
    assert result(ours, **bounds).wanted == told


def test_misses_are_counted_among_those_of_which_something_is_wanted() -> None:
    assert count_missed([result(9.0), result(9.0, at_most=3), result(1.0, at_most=3)]) == (1, 2)


def test_rows_of_several_benchmarks_come_into_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROWS_FILE, str(tmp_path / "rows"))
    keep(result(1234.0, at_most=3))
    keep(result(1.5))
    keep(result(0.0005))

    assert table(kept(tmp_path / "rows")).splitlines()[2:] == [
        "| lists, p50 | 1,234 ms | 2.00 ms | bare route | 617.00 | ≤ 3 ✗ |",
        "| lists, p50 | 1.50 ms | 2.00 ms | bare route | 0.75 |  |",
        "| lists, p50 | 0.00 ms | 2.00 ms | bare route | 0.00025 |  |",
    ]


def test_benchmark_alone_keeps_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROWS_FILE, raising=False)

    keep(result(1.0))

    assert kept(tmp_path / "rows") == []
