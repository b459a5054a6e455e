"""No package of the lock has a hole that is known; asked of the advisories that pip-audit reads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from security import ledger

pytestmark = [pytest.mark.security, pytest.mark.timeout(300)]

LOCK = Path(__file__).parents[2] / "requirements.lock"
# an advisory that does not concern us, and why: "GHSA-…": "we never call it"
ACCEPTED: dict[str, str] = {}
SOURCES = ("pypi", "osv")
WHAT = "known holes of the lock (pip-audit)"


def audit(source: str) -> list[dict[str, Any]] | str:
    """Return what a source of advisories says of each package, or why it says nothing."""
    command: list[str | Path] = [Path(sys.executable).with_name("pip-audit"), "--requirement", LOCK]
    command += ["--require-hashes", "--disable-pip", "--vulnerability-service", source, "--timeout", "20"]
    command += ["--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=140, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return (done.stderr.strip().splitlines() or ["no answer"])[-1][:300]
    # it ends well, too, where it could not look at all
    if all("skip_reason" in package for package in packages):
        return f"{packages[0]['skip_reason']}; so were {len(packages) - 1} more"
    return packages


def test_no_package_of_the_lock_has_a_known_hole() -> None:
    found = [audit(source) for source in SOURCES]
    answers = [packages for packages in found if not isinstance(packages, str)]
    if not answers:
        reasons = "; ".join(f"{source}: {why}" for source, why in zip(SOURCES, found, strict=True))
        ledger.add(WHAT, {}, 0)
        pytest.skip(f"no source of advisories was reached. {reasons}")

    packages = answers[0]
    left_out = [package["name"] for package in packages if "skip_reason" in package]
    holes = {
        f"{package['name']} {package['version']}: {hole['id']}, mended in {hole['fix_versions']}"
        for package in packages
        for hole in package.get("vulns", [])
        if not ACCEPTED.keys() & {hole["id"], *hole["aliases"]}
    }
    ledger.add(WHAT, {"package": len(packages) - len(left_out)}, len(holes))
    assert holes == set()
    assert left_out == []
