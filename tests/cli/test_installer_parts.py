"""The steps of an install: each is done whole, or leaves nothing."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from buddy_cli import installer
from buddy_cli.failures import InstallError
from buddy_common.adapters.processes import child_environment


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_a_folder_is_built_whole_or_not_at_all(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "place" / "node-1"
    target.parent.mkdir()

    def fill(folder: Path) -> None:
        (folder / "half").touch()
        assert not target.exists()
        raise error

    with pytest.raises(type(error)):
        installer._build(target, fill)

    assert list(target.parent.iterdir()) == []


def test_a_link_is_relative_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    place = tmp_path / "links" / "node"
    place.parent.mkdir()
    for name in ("node-1", "node-2"):
        (tmp_path / name).write_text(name)
        installer._link(place, tmp_path / name)

    assert place.readlink() == Path("../node-2")
    assert list(place.parent.iterdir()) == [place]


def run(code: str, report: installer.Report) -> None:
    installer._run("npm", [sys.executable, "-ISuc", code], child_environment(), report)


def test_a_tool_reports_line_by_line_what_it_writes() -> None:
    lines: list[str] = []

    run("import sys; print('  out  '); sys.stdout.flush(); print('err', file=sys.stderr)", lines.append)

    assert lines == ["out", "err"]


def test_a_tool_that_fails_is_told_with_its_last_lines_in_one() -> None:
    code = "import sys; [print('line', number) for number in range(9)]; sys.exit(7)"

    with pytest.raises(InstallError) as failure:
        run(code, lambda _line: None)

    assert failure.value.message == "npm failed with exit code 7: line 5 / line 6 / line 7 / line 8"


@pytest.mark.parametrize("begin", ["npm error", "npm ERR!", "ERROR:"])
def test_a_reason_that_the_tool_names_wins_over_the_last_lines(begin: str) -> None:
    """npm follows its reason up with a stack and advice, pip with an upgrade notice."""
    code = f"import sys; print('{begin} no such version'); [print('more', n) for n in range(9)]; sys.exit(1)"

    with pytest.raises(InstallError) as failure:
        run(code, lambda _line: None)

    assert failure.value.message == f"npm failed with exit code 1: {begin} no such version"


def test_a_tool_that_is_killed_is_a_failure() -> None:
    with pytest.raises(InstallError, match="npm failed with exit code -9"):
        run("import os; os.kill(os.getpid(), 9)", lambda _line: None)


def test_after_ctrl_c_no_tool_runs_on() -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run("import os, time; print(os.getpid()); time.sleep(60)", interrupt)

    assert time.monotonic() - began < 5
    assert not psutil.pid_exists(pids[0])


def test_packages_are_counted_and_other_lines_passed_over() -> None:
    said: list[str] = []
    count = installer._Counter("OpenClaw 1", said.append)

    for line in ("npm warn deprecated", "npm http fetch GET 200 a", "", "npm http fetch GET 200 b"):
        count(line)

    assert said == [
        "OpenClaw 1: 1 packages looked up or fetched",
        "OpenClaw 1: 2 packages looked up or fetched",
    ]
