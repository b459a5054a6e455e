"""Finding a usable `openclaw`."""

import os
import shutil
from pathlib import Path

import pytest

from buddy_common.adapters import openclaw_program
from buddy_common.adapters.openclaw_program import HostOpenClaw, installed_program, locate_openclaw
from buddy_common.errors import OpenClawNotFoundError, UnusableNodeError
from buddy_common.settings import OpenClawSettings
from common.racing import race

REFUSAL = (
    "openclaw: Node 20.20.2: node:sqlite is unavailable; use 24.16+/26.1+ (or a 22.22+ LTS that has it)."
)


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def write_openclaw(path: Path, version: str = "2026.9.6") -> Path:
    return write_program(path, f'[ "$*" = --version ] && echo "OpenClaw {version} (abc1234)"')


def write_refusing(path: Path) -> Path:
    return write_program(path, f"echo '{REFUSAL}' >&2\necho 'more lines' >&2\nexit 1")


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Buddy's own folder; nothing is installed there yet."""
    return tmp_path / "runtime"


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's program would be; nothing is installed there yet."""
    folder = tmp_path / "usr-bin"
    folder.mkdir()
    for tool in ("env", "sleep"):  # and nothing else: this machine may have an OpenClaw
        (folder / tool).symlink_to(shutil.which(tool) or "missing")
    monkeypatch.setenv("PATH", str(folder))
    return folder / "openclaw"


def test_setting_wins_over_path_and_runtime(tmp_path: Path, on_path: Path, runtime: Path) -> None:
    write_openclaw(on_path, "2026.1.1")
    write_openclaw(runtime / "bin" / "openclaw", "2026.2.2")
    chosen = write_openclaw(tmp_path / "chosen" / "openclaw", "2026.3.28")

    found = locate_openclaw(OpenClawSettings(program=chosen), runtime)

    assert (found.path, found.version) == (chosen, "2026.3.28")


def test_path_wins_over_runtime(on_path: Path, runtime: Path) -> None:
    write_openclaw(on_path)
    write_openclaw(runtime / "bin" / "openclaw")

    found = locate_openclaw(OpenClawSettings(), runtime)

    assert (found.path, found.search_path) == (on_path, os.environ["PATH"])


@pytest.mark.usefixtures("on_path")
def test_runtime_is_used_when_path_has_none_and_gets_its_own_node(runtime: Path) -> None:
    own = write_openclaw(runtime / "bin" / "openclaw")

    found = locate_openclaw(OpenClawSettings(), runtime)

    assert found.path == own
    assert found.search_path == f"{runtime}/bin:{os.environ['PATH']}"


@pytest.mark.usefixtures("on_path")
def test_runtime_is_used_by_the_folder_of_the_version_in_use(runtime: Path) -> None:
    """What runs from there keeps its program and its Node.js when another version is put in use."""
    own = write_openclaw(installed_program(runtime, "2026.9.6"))
    (runtime / "bin").symlink_to("openclaw-2026.9.6/bin")

    found = locate_openclaw(OpenClawSettings(), runtime)

    assert found.path == own
    assert found.search_path == f"{own.parent}:{os.environ['PATH']}"


@pytest.mark.usefixtures("on_path")
def test_another_version_in_use_is_noticed(runtime: Path) -> None:
    for version in ("2026.9.6", "2026.3.28"):
        write_openclaw(installed_program(runtime, version), version)
    (runtime / "bin").symlink_to("openclaw-2026.9.6/bin")
    openclaw = HostOpenClaw(OpenClawSettings(), runtime)
    assert openclaw.program().version == "2026.9.6"

    (runtime / "bin").unlink()
    (runtime / "bin").symlink_to("openclaw-2026.3.28/bin")

    assert openclaw.program().version == "2026.3.28"


@pytest.mark.usefixtures("on_path")
def test_a_named_program_gets_the_node_in_its_own_folder(tmp_path: Path, runtime: Path) -> None:
    """The folder that was named: behind a link there are `node_modules`, and no Node.js."""
    goal = write_program(tmp_path / "node_modules" / "openclaw.mjs", "exec node")
    write_program(tmp_path / "bin" / "node", "echo 'OpenClaw 2026.3.28 (abc1234)'")
    named = tmp_path / "bin" / "openclaw"
    named.symlink_to(goal)

    found = locate_openclaw(OpenClawSettings(program=named), runtime)

    assert (found.path, found.version) == (named, "2026.3.28")
    assert found.search_path == f"{named.parent}:{os.environ['PATH']}"


@pytest.mark.usefixtures("on_path")
def test_the_node_of_the_settings_wins_over_the_one_in_the_folder(tmp_path: Path, runtime: Path) -> None:
    named = write_openclaw(tmp_path / "bin" / "openclaw")
    write_program(tmp_path / "bin" / "node", "exit 1")
    node = write_program(tmp_path / "node-26" / "node", "exit 0")

    found = locate_openclaw(OpenClawSettings(program=named, node_program=node), runtime)

    assert found.search_path == f"{node.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("mode", [None, 0o644], ids=["a folder", "not executable"])
@pytest.mark.usefixtures("on_path")
def test_what_only_has_the_name_of_node_is_not_taken_for_it(
    tmp_path: Path, runtime: Path, mode: int | None
) -> None:
    named = write_openclaw(tmp_path / "bin" / "openclaw")
    node = named.with_name("node")
    if mode is None:
        node.mkdir()
    else:
        node.touch(mode)

    assert locate_openclaw(OpenClawSettings(program=named), runtime).search_path == os.environ["PATH"]


@pytest.mark.usefixtures("on_path")
def test_no_program_says_what_to_do(runtime: Path) -> None:
    with pytest.raises(OpenClawNotFoundError, match="Run `buddy openclaw install`, or set BUDDY_OPENCLAW"):
        locate_openclaw(OpenClawSettings(), runtime)


def test_refused_node_is_told_in_openclaws_own_words(on_path: Path, runtime: Path) -> None:
    write_refusing(on_path)

    with pytest.raises(UnusableNodeError) as failure:
        locate_openclaw(OpenClawSettings(), runtime)

    assert failure.value.message == f"{on_path} --version failed: {REFUSAL}"


@pytest.mark.usefixtures("on_path")
def test_missing_node_is_an_unusable_node(runtime: Path) -> None:
    own = write_openclaw(runtime / "bin" / "openclaw")
    own.write_text("#!/usr/bin/env node-that-is-not-there\n")

    with pytest.raises(UnusableNodeError, match="node-that-is-not-there"):
        locate_openclaw(OpenClawSettings(), runtime)


@pytest.mark.parametrize(
    "script",
    [
        f"echo '{REFUSAL}' >&2; exit 1",
        "echo 'Segmentation fault' >&2; exit 139",
        "echo 'another program, version 3'",
        "exit 0",
    ],
    ids=["node refused", "crash", "another program", "silence"],
)
def test_unusable_program_on_path_gives_way_to_the_runtime(on_path: Path, runtime: Path, script: str) -> None:
    write_program(on_path, script)
    own = write_openclaw(runtime / "bin" / "openclaw")

    assert locate_openclaw(OpenClawSettings(), runtime).path == own


def test_when_all_refuse_the_first_one_is_told(on_path: Path, runtime: Path) -> None:
    write_refusing(on_path)
    write_refusing(runtime / "bin" / "openclaw")

    with pytest.raises(UnusableNodeError) as failure:
        locate_openclaw(OpenClawSettings(), runtime)

    assert failure.value.message.startswith(str(on_path))


def test_unusable_setting_never_gives_way(tmp_path: Path, on_path: Path, runtime: Path) -> None:
    """Another program than the one that was named would be a surprise."""
    write_openclaw(on_path)
    refusing = write_refusing(tmp_path / "chosen" / "openclaw")

    with pytest.raises(UnusableNodeError):
        locate_openclaw(OpenClawSettings(program=refusing), runtime)
    with pytest.raises(OpenClawNotFoundError, match="cannot be run"):
        locate_openclaw(OpenClawSettings(program=tmp_path / "nowhere"), runtime)


@pytest.mark.parametrize("place", ["setting", "path", "runtime"])
def test_node_of_the_settings_comes_first_for_every_program(
    tmp_path: Path, on_path: Path, runtime: Path, place: str
) -> None:
    places = {"setting": tmp_path / "chosen", "path": on_path, "runtime": runtime / "bin" / "openclaw"}
    program = write_openclaw(places[place])
    node = tmp_path / "node-26" / "node"

    found = locate_openclaw(
        OpenClawSettings(program=program if place == "setting" else None, node_program=node), runtime
    )

    assert found.path == program
    assert found.search_path.startswith(f"{node.parent}:")


def test_program_that_hangs_is_given_up(
    on_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openclaw_program, "VERSION_SECONDS", 0.2)
    write_program(on_path, "exec sleep 60")

    with pytest.raises(OpenClawNotFoundError, match="timed out"):
        locate_openclaw(OpenClawSettings(), runtime)


def test_program_is_an_absolute_path_even_if_path_is_not(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway starts in another folder, where a relative path would lead nowhere."""
    write_openclaw(tmp_path / "node_modules" / ".bin" / "openclaw")
    monkeypatch.setenv("PATH", "node_modules/.bin")

    assert locate_openclaw(OpenClawSettings(), runtime).path.is_absolute()


def test_program_sees_no_secret_of_ours(
    tmp_path: Path, on_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "hunter2")
    write_program(on_path, f'env > {tmp_path}/seen; echo "OpenClaw 2026.9.6"')

    locate_openclaw(OpenClawSettings(), runtime)

    seen = (tmp_path / "seen").read_text()
    assert "PATH=" in seen
    assert "hunter2" not in seen


def test_many_may_ask_at_once(on_path: Path, runtime: Path) -> None:
    write_openclaw(on_path)
    openclaw = HostOpenClaw(OpenClawSettings(), runtime)

    assert {program.path for program in race(8, openclaw.program)} == {on_path}
