"""ruff's rules of bandit are on for all that is shipped, and each exception says why it is one."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUFF = Path(sys.executable).with_name("ruff")
SOURCES = ("libs", "services", "cli", "deploy", ".ci")
# `S311`: random is used for jitter; secrets come from `secrets`
OFF = {"S311"}
_EXCEPTION = re.compile(r"# noqa: (?P<codes>[A-Z0-9, ]+?)(?P<reason> - \S.*)?$")


def settings() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    return found


def test_the_rules_of_bandit_are_on_for_the_source() -> None:
    lint = settings()
    ignored, of_files = lint["ignore"], lint["per-file-ignores"]
    assert isinstance(ignored, list)
    assert isinstance(of_files, dict)

    assert "S" in lint["select"]  # type: ignore[operator]  # a list, says ruff
    assert {code for code in ignored if re.fullmatch(r"S\d*", code)} == OFF
    for pattern, codes in of_files.items():
        if not pattern.startswith(("tests/", "bench/")):
            assert not [code for code in codes if re.fullmatch(r"S\d*", code)], pattern


def test_each_exception_from_them_has_its_reason() -> None:
    seen = 0
    for path in (path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            found = _EXCEPTION.search(line)
            if found and re.search(r"\bS\d{3}\b", found["codes"]):
                assert found["reason"], f"{path.relative_to(ROOT)}:{number} gives no reason"
                seen += 1
    assert seen > 5


def test_the_source_keeps_the_rules() -> None:
    """Settings alone prove nothing: a rule may be on, and nobody runs it."""
    folders = [ROOT / folder for folder in SOURCES]
    done = check(*folders)
    assert done.returncode == 0, done.stdout
    shown = subprocess.run(
        [RUFF, "check", "--show-files", *folders], capture_output=True, text=True, check=True
    )
    assert len(shown.stdout.splitlines()) > 300


def check(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run the rules of bandit, those that are off left out, whatever else the settings say."""
    rules = ["--select", "S", "--ignore", ",".join(sorted(OFF))]
    command: list[str | Path] = [
        RUFF,
        "check",
        "--config",
        ROOT / "pyproject.toml",
        "--no-cache",
        *rules,
        *paths,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_rules_find_what_they_are_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text('import subprocess\n\nsubprocess.run("ls " + input(), shell=True)\n')
    done = check(bad)
    assert done.returncode == 1
    assert "S602" in done.stdout
