"""Which launchd job runs the gateway of a folder, found among the property lists of the Mac."""

import plistlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from buddy_common.adapters.accounts import Account, account_of_folder
from buddy_common.adapters.launchd import Launchd
from buddy_common.schemas.gateway import ServiceUnit

DAEMONS = Path("/Library/LaunchDaemons")
_OWN_LABEL = "ai.openclaw.gateway"


def installed_job(launchd: Launchd, config_dir: Path) -> ServiceUnit | None:
    """Return the job whose gateway lives in `config_dir`, the account's own first."""
    account = account_of_folder(config_dir)
    for uid, _, job in _property_lists(account):
        label = job.get("Label")
        if isinstance(label, str) and _lives_in(job, label, config_dir.resolve(), account.home.resolve()):
            return launchd.unit(label, uid=uid)
    return None


def property_list(label: str, config_dir: Path) -> Path | None:
    """Return the file of a job, which launchd needs to load it."""
    files = _property_lists(account_of_folder(config_dir))
    return next((file for _, file, job in files if job.get("Label") == label), None)


def _property_lists(account: Account) -> Iterator[tuple[int | None, Path, dict[str, Any]]]:
    for uid, folder in ((account.uid, account.home / "Library/LaunchAgents"), (None, DAEMONS)):
        for file in sorted(folder.glob("*.plist")):
            try:
                job = plistlib.loads(file.read_bytes())
            except (OSError, ValueError, ExpatError, plistlib.InvalidFileException):
                continue
            if isinstance(job, dict):
                yield uid, file, job


def _lives_in(job: dict[str, Any], label: str, config_dir: Path, home: Path) -> bool:
    arguments = [str(word) for word in job.get("ProgramArguments", [])]
    if "gateway" not in arguments or not any("openclaw" in word for word in arguments):
        return False
    # OpenClaw hands the environment over in a file of the state folder, which its wrapper reads
    named = [*arguments, job.get("EnvironmentVariables", {}).get("OPENCLAW_STATE_DIR", "")]
    if any(config_dir == Path(word) or config_dir in Path(word).parents for word in named):
        return True
    return label == _label(config_dir, home)


def _label(config_dir: Path, home: Path) -> str | None:
    if config_dir == home / ".openclaw":
        return _OWN_LABEL
    if config_dir.parent == home and config_dir.name.startswith(".openclaw-"):
        return f"ai.openclaw.{config_dir.name.removeprefix('.openclaw-')}"
    return None
