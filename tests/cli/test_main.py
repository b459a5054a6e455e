"""The `buddy` command itself: help, exit codes, one line per failure."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from buddy_cli import main, openclaw_setup
from buddy_common.settings import HomeSettings

BUDDY = Path(sys.executable).with_name("buddy")


def buddy(*arguments: str) -> Result:
    """Run a command in this process: its failures are exit codes here as well."""
    return CliRunner().invoke(main.app, list(arguments))


def one_line(result: Result) -> str:
    """Return the only line of a failure."""
    assert result.stdout == ""
    assert result.stderr.startswith("buddy: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def home() -> HomeSettings:
    return HomeSettings()


COMMANDS = ["", "up", "down", "status", "token", "migrate", "openclaw", "openclaw install"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"buddy {command}".strip())
def test_every_command_explains_itself(command: str) -> None:
    result = buddy(*command.split(), "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_the_list_of_commands_above_is_complete() -> None:
    def names(command: object, path: str) -> Iterator[str]:
        yield path
        for name, child in getattr(command, "commands", {}).items():
            yield from names(child, f"{path} {name}".strip())

    assert set(names(get_command(main.app), "")) == set(COMMANDS)


def test_the_help_of_up_lists_the_exit_codes() -> None:
    assert "8 already running" in " ".join(buddy("up", "--help").stdout.split())


def test_a_wrong_setting_is_one_line_without_a_traceback() -> None:
    environment = {**os.environ, "WEB_PORT": "abc"}

    done = subprocess.run(
        [BUDDY, "up"], env=environment, capture_output=True, text=True, timeout=9, check=False
    )

    assert done.returncode == 11
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "WEB_PORT" in done.stderr
    assert "valid integer" in done.stderr


@pytest.mark.parametrize("command", COMMANDS[1:6])
def test_every_command_checks_the_settings(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_WATCHDOG_PORT", "70000")

    result = buddy(command)

    assert result.exit_code == 11
    assert "BUDDY_WATCHDOG_PORT" in one_line(result)


@pytest.mark.parametrize("token", ["first,second", "two words", "größer", "tab\there"])
def test_a_token_that_flower_or_a_header_would_cut_is_refused(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """Flower splits its passwords at commas: with `first,second` the password `first` lets you in."""
    monkeypatch.setenv("BUDDY_TOKEN", token)

    result = buddy("token")

    assert result.exit_code == 11
    assert "BUDDY_TOKEN" in one_line(result)
    assert token not in result.stderr


def test_a_wrong_version_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_OPENCLAW_VERSION", "2026.9.6")  # the command changes it; this puts it back

    result = buddy("openclaw", "install", "--version", "latest; rm -rf /")

    assert result.exit_code == 11
    assert "BUDDY_OPENCLAW_VERSION" in one_line(result)


def test_install_if_missing_takes_one_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "openclaw"
    program.write_text("#!/bin/sh\necho 'OpenClaw 2026.9.6 (test)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("BUDDY_OPENCLAW", str(program))

    result = buddy("openclaw", "install", "--if-missing")

    assert result.exit_code == 0
    assert str(program) in result.stdout


@pytest.mark.parametrize(("options", "use"), [([], True), (["--beside"], False)])
def test_an_install_is_used_from_now_on_unless_it_is_one_beside(
    home: HomeSettings, monkeypatch: pytest.MonkeyPatch, options: list[str], *, use: bool
) -> None:
    installs: list[tuple[Path, str, bool]] = []

    def install(runtime: Path, version: str, *, report: Callable[[str], None], use: bool) -> Path:
        report("downloading")
        installs.append((runtime, version, use))
        return runtime / "openclaw"

    monkeypatch.setattr(openclaw_setup, "install_openclaw", install)
    monkeypatch.setenv("BUDDY_OPENCLAW_VERSION", "2026.9.6")  # the command changes it; this puts it back

    result = buddy("openclaw", "install", "--version", "2026.3.28", *options)

    assert result.exit_code == 0
    assert installs == [(home.runtime, "2026.3.28", use)]
    assert "2026.3.28" in result.stdout


def test_the_token_is_made_once_and_private(home: HomeSettings) -> None:
    first, second = buddy("token"), buddy("token")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) >= 32
    assert home.token_file.read_text() == first.stdout
    assert home.token_file.stat().st_mode & 0o777 == 0o600
    assert home.home.stat().st_mode & 0o777 == 0o700


def test_a_token_that_is_set_wins_and_makes_no_file(
    home: HomeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "a-token-of-my-own")

    assert buddy("token").stdout == "a-token-of-my-own\n"
    assert not home.token_file.exists()


def test_token_path_only_names_the_file(home: HomeSettings) -> None:
    result = buddy("token", "--path")

    assert result.exit_code == 0
    assert result.stdout == f"{home.token_file}\n"
    assert not home.home.exists()


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_token_file_never_is_an_empty_token(home: HomeSettings, content: str) -> None:
    """A crash right after the file was made leaves it so; an empty token would let everybody in."""
    home.token_file.parent.mkdir(parents=True)
    home.token_file.write_text(content)

    result = buddy("token")

    assert len(result.stdout.strip()) >= 32 or result.exit_code == 5


def test_a_token_file_that_cannot_be_read_is_one_line(home: HomeSettings) -> None:
    home.token_file.mkdir(parents=True)

    result = buddy("token")

    assert result.exit_code == 5
    assert str(home.token_file) in one_line(result)


@pytest.mark.parametrize("command", ["up", "token", "migrate"])
def test_a_home_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BUDDY_HOME", str(tmp_path / "file" / "home"))

    result = buddy(command)

    assert result.exit_code == 5
    assert str(tmp_path / "file" / "home") in one_line(result)


def test_migrate_works_and_is_repeatable(home: HomeSettings) -> None:
    first, second = buddy("migrate"), buddy("migrate")

    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert str(home.home / "buddy.db") in first.stdout.replace("\n", "")


def test_migrate_takes_the_database_that_was_named(home: HomeSettings, tmp_path: Path) -> None:
    result = buddy("migrate", "--database-url", f"sqlite:///{tmp_path / 'other.db'}")

    assert result.exit_code == 0
    assert (tmp_path / "other.db").exists()
    assert not (home.home / "buddy.db").exists()


def test_migrate_of_an_unusable_database_is_one_line() -> None:
    result = buddy("migrate", "--database-url", "mysql://joe:hunter2@db/buddy")

    assert result.exit_code == 7
    assert "hunter2" not in one_line(result)


@pytest.mark.filterwarnings("ignore:Query string argument")
def test_migrate_never_shows_a_password(tmp_path: Path) -> None:
    """PostgreSQL takes it in the query, too."""
    result = buddy("migrate", "--database-url", f"sqlite:///{tmp_path / 'x.db'}?password=hunter2")

    assert result.exit_code == 0
    assert "x.db" in result.stdout
    assert "hunter2" not in result.stdout
