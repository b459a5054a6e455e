"""Which systemd unit runs the gateway of a folder: found among the unit files, confirmed by systemd.

Sources: OpenClaw's docs/gateway/index.md and the units that `openclaw gateway install` writes.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePath

from buddy_common.adapters import accounts
from buddy_common.adapters.systemd import Systemd
from buddy_common.schemas.gateway import ServiceUnit

SYSTEM_FOLDERS = tuple(
    Path(folder) for folder in ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
)
_OWN_NAME = re.compile(r"openclaw-gateway(?:-(?P<profile>[A-Za-z0-9_-]+))?\.service")
_COMMAND = re.compile(r"argv\[\]=(.*?) ; ")


def installed_unit(systemd: Systemd, config_dir: Path) -> ServiceUnit | None:
    """Return the unit whose gateway lives in `config_dir`, one that runs first; None without such a unit."""
    account = accounts.account_of_folder(config_dir)
    active: dict[ServiceUnit, bool] = {}
    for unit in _candidates(systemd, account):
        facts = systemd.facts(unit)
        if not facts or not runs_gateway(unit.name, facts):
            continue
        if _config_dir(unit, facts, account.home).resolve() == config_dir.resolve():
            active[unit] = facts.get("ActiveState") == "active"
    return max(active, key=active.__getitem__, default=None)


def runs_gateway(name: str, facts: dict[str, str]) -> bool:
    """Whether a unit is there to run OpenClaw's gateway, by its name, its marker or its command."""
    if _OWN_NAME.fullmatch(name):
        return True
    environment = environment_of(facts)
    if environment.get("OPENCLAW_SERVICE_MARKER") == "openclaw":
        return environment.get("OPENCLAW_SERVICE_KIND", "gateway") == "gateway"
    words = _command(facts)
    programs = [
        index for index, word in enumerate(words) if {"openclaw", "openclaw.mjs"} & {*PurePath(word).parts}
    ]
    return bool(programs) and "gateway" in words[programs[0] + 1 :]


def environment_of(facts: dict[str, str]) -> dict[str, str]:
    """Return the variables that the unit itself sets."""
    try:
        words = shlex.split(facts.get("Environment", ""))
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _candidates(systemd: Systemd, account: accounts.Account) -> Iterator[ServiceUnit]:
    """Yield the units that may be meant: those of the account first, as OpenClaw itself prefers."""
    user = [account.home / ".config/systemd/user", account.home / ".local/share/systemd/user"]
    user += [folder / "user" for folder in SYSTEM_FOLDERS]
    for name in _names(user):
        yield systemd.unit(name, uid=account.uid)
    for name in _names([folder / "system" for folder in SYSTEM_FOLDERS]):
        yield systemd.unit(name, uid=None)


def _names(folders: list[Path]) -> list[str]:
    found: dict[str, None] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.service")):
            if "@." not in file.name and _mentions_openclaw(file):  # a template is no unit
                found[file.name] = None
    return list(found)


def _mentions_openclaw(file: Path) -> bool:
    try:
        return file.is_file() and b"openclaw" in file.read_bytes().lower()
    except OSError:
        return False


def _config_dir(unit: ServiceUnit, facts: dict[str, str], account_home: Path) -> Path:
    """Return the folder of the `openclaw.json` that the unit's gateway reads."""
    environment, words = environment_of(facts), _command(facts)
    if config := environment.get("OPENCLAW_CONFIG_PATH"):
        return Path(config).parent
    if state := environment.get("OPENCLAW_STATE_DIR"):
        return Path(state)
    named = _OWN_NAME.fullmatch(unit.name)
    profile = environment.get("OPENCLAW_PROFILE") or (named["profile"] if named else None)
    if "--profile" in words[:-1]:
        profile = words[words.index("--profile") + 1]
    home = environment.get("OPENCLAW_HOME") or environment.get("HOME")
    base = Path(home) if home else account_home if unit.user else _home_of(facts.get("User", ""))
    return base / (f".openclaw-{profile}" if profile and profile != "default" else ".openclaw")


def _home_of(user: str) -> Path:
    uid = accounts.uid_of(user or "root")
    return Path("/nonexistent") if uid is None else accounts.account_of_uid(uid).home


def _command(facts: dict[str, str]) -> list[str]:
    found = _COMMAND.search(facts.get("ExecStart", ""))
    return found[1].split() if found else []
