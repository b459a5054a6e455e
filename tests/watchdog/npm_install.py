"""A real npm that installs a package named openclaw: from a folder, without a network, and slowly."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

NPM = shutil.which("npm")
ENDS_SECONDS = 120  # of its own accord, should a test be killed


@contextlib.contextmanager
def npm_install(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have one run; nothing of it is left afterwards."""
    assert NPM is not None
    package = folder / "openclaw"
    package.mkdir()
    script = {"postinstall": f"sleep {ENDS_SECONDS}"}
    (package / "package.json").write_text(
        json.dumps({"name": "openclaw", "version": "1.0.0", "scripts": script})
    )
    options = ["--offline", "--no-audit", "--no-fund", "--cache", str(folder / "cache")]
    with subprocess.Popen(
        [NPM, "install", "-g", "--prefix", str(folder / "prefix"), *options, str(package)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
