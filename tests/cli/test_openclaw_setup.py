"""Which OpenClaw is used, when one is installed, and what is written for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from buddy_cli import openclaw_setup
from buddy_cli.failures import OpenClawUnusableError
from buddy_cli.openclaw_setup import ensure_config, ensure_openclaw
from buddy_cli.screen import Screen
from buddy_common.settings import GatewaySettings, OpenClawSettings

GOOD = "#!/bin/sh\necho 'OpenClaw 2026.9.6 (test)'\n"
REFUSES_NODE = "#!/bin/sh\necho 'openclaw: Node.js v24.16+ is required (current: v18.0.0).' >&2\nexit 1\n"
BROKEN = "#!/bin/sh\necho \"Error: Cannot find module './dist/entry.js'\" >&2\nexit 1\n"


def put(program: Path, script: str) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(script)
    program.chmod(0o755)
    return program


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "runtime"


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an `openclaw` would be found; there is none yet."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin" / "openclaw"


@pytest.fixture(autouse=True)
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were installed: an install is a script that works."""
    done: list[str] = []

    def install(runtime: Path, version: str, *, report: Callable[[str], None], use: bool) -> Path:
        assert use
        report("downloading")
        done.append(version)
        return put(runtime / "bin" / "openclaw", GOOD)

    monkeypatch.setattr(openclaw_setup, "install_openclaw", install)
    return done


def test_an_openclaw_that_runs_is_used(on_path: Path, runtime: Path, installs: list[str]) -> None:
    put(on_path, GOOD)

    program = ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=True)

    assert program is not None
    assert program.path == on_path
    assert program.version == "2026.9.6"
    assert installs == []


def test_where_there_is_none_it_is_installed(on_path: Path, runtime: Path, installs: list[str]) -> None:
    program = ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=True)

    assert program is not None
    assert program.path == runtime / "bin" / "openclaw"
    assert installs == [OpenClawSettings().version]
    assert not on_path.exists()


@pytest.mark.usefixtures("on_path")
def test_where_there_is_none_and_none_may_be_installed_there_is_none(
    runtime: Path, installs: list[str]
) -> None:
    assert ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=False) is None
    assert installs == []
    assert not runtime.exists()


@pytest.mark.parametrize("may_install", [True, False])
@pytest.mark.usefixtures("on_path")
def test_the_one_that_was_named_is_never_replaced_by_another(
    tmp_path: Path, runtime: Path, installs: list[str], *, may_install: bool
) -> None:
    named = OpenClawSettings(program=put(tmp_path / "named" / "openclaw", REFUSES_NODE))

    with pytest.raises(OpenClawUnusableError) as failure:
        ensure_openclaw(Screen(), named, runtime, may_install=may_install)

    assert str(named.program) in failure.value.message
    assert "Node.js v24.16+ is required (current: v18.0.0)" in failure.value.message
    assert "BUDDY_OPENCLAW_NODE" in failure.value.message
    assert installs == []


def test_a_named_program_that_is_missing_is_unusable(tmp_path: Path, runtime: Path) -> None:
    with pytest.raises(OpenClawUnusableError, match="cannot be run"):
        ensure_openclaw(Screen(), OpenClawSettings(program=tmp_path / "no"), runtime, may_install=True)


def test_one_without_a_node_for_it_is_unusable_if_none_may_be_installed(on_path: Path, runtime: Path) -> None:
    put(on_path, REFUSES_NODE)

    with pytest.raises(OpenClawUnusableError, match=r"Node\.js v24\.16\+ is required"):
        ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=False)


def test_one_without_a_node_for_it_is_told_and_another_installed(
    on_path: Path, runtime: Path, installs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    put(on_path, REFUSES_NODE)

    program = ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=True)

    assert program is not None
    assert program.path == runtime / "bin" / "openclaw"
    assert len(installs) == 1
    assert "Node.js v24.16+ is required" in capsys.readouterr().out


@pytest.mark.parametrize("script", [REFUSES_NODE, BROKEN], ids=["refuses-node", "broken"])
@pytest.mark.parametrize("may_install", [True, False])
def test_one_that_does_not_run_does_not_hide_the_one_that_buddy_installed(
    on_path: Path, runtime: Path, installs: list[str], script: str, *, may_install: bool
) -> None:
    put(on_path, script)
    own = put(runtime / "bin" / "openclaw", GOOD)

    program = ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=may_install)

    assert program is not None
    assert program.path == own
    assert installs == []


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("script", [REFUSES_NODE, BROKEN], ids=["refuses-node", "broken"])
def test_an_installed_one_that_does_not_run_is_unusable(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    def install(runtime: Path, _version: str, *, report: Callable[[str], None], use: bool) -> Path:
        assert use
        report("downloading")
        return put(runtime / "bin" / "openclaw", script)

    monkeypatch.setattr(openclaw_setup, "install_openclaw", install)

    with pytest.raises(OpenClawUnusableError):
        ensure_openclaw(Screen(), OpenClawSettings(), runtime, may_install=True)


def test_a_first_config_is_private_and_local(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = GatewaySettings(config_dir=tmp_path / ".openclaw")

    ensure_config(Screen(), gateway)

    config = json.loads(gateway.config_file.read_text())["gateway"]
    assert config["mode"] == "local"
    assert config["bind"] == "loopback"
    assert len(config["auth"]["token"]) >= 32
    assert gateway.config_file.stat().st_mode & 0o777 == 0o600
    out = capsys.readouterr().out
    assert str(gateway.config_file) in out
    assert config["auth"]["token"] not in out


@pytest.mark.parametrize("content", ["", "{broken", '{"gateway": {}}'])
def test_a_config_that_is_there_is_never_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    file = tmp_path / "openclaw.json"
    file.write_text(content)

    ensure_config(Screen(), GatewaySettings(config_dir=tmp_path))

    assert file.read_text() == content
    assert capsys.readouterr().out == ""
