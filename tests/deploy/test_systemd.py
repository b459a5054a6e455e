"""The systemd units: what they start, what they may do, and what they leave alone."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.main import get_command

from buddy_cli import failures, main
from buddy_cli.planes import Plane
from buddy_common.errors import SetupError
from buddy_common.settings import ALL_SETTINGS

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
BUDDY = "/opt/openclaw-buddy/.venv/bin/buddy"
PLANES = {
    "openclaw-buddy.service": Plane.ALL,
    "openclaw-buddy-host.service": Plane.HOST,
    "openclaw-buddy-control.service": Plane.CONTROL,
}
BESIDE_THE_GATEWAY = [name for name, plane in PLANES.items() if plane.has_host]
YES = [
    "LockPersonality", "NoNewPrivileges", "PrivateDevices", "ProtectClock", "ProtectControlGroups",
    "ProtectHome", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables",
    "RestrictRealtime", "RestrictSUIDSGID",
]  # fmt: skip
HARDENING = dict.fromkeys(YES, "yes") | {
    "ProtectSystem": "strict",
    "SystemCallArchitectures": "native",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "UMask": "0077",
}

each_unit = pytest.mark.parametrize("name", PLANES)


def service_of(name: str) -> dict[str, str]:
    """Return the section [Service]; a key that comes twice is a mistake here."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=["="], comment_prefixes=["#"])
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep capitals
    parser.read_string((FOLDER / name).read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]
    return dict(parser["Service"])


def test_every_unit_is_known_here() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PLANES)


@each_unit
def test_a_unit_starts_its_plane_with_options_that_buddy_has(name: str) -> None:
    program, command, *options = service_of(name)["ExecStart"].split()

    up = get_command(main.app).commands[command]  # type: ignore[attr-defined]  # a group, as it has commands
    context = up.make_context(command, options)

    assert program == BUDDY
    assert command == "up"
    assert context.params["plane"] is PLANES[name]


@each_unit
def test_a_unit_holds_no_secret_and_names_the_file_that_does(name: str) -> None:
    service = service_of(name)
    secret = {
        str(alias)
        for settings in ALL_SETTINGS
        for field in settings.model_fields.values()
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
        for alias in getattr(field.validation_alias, "choices", [])
    }
    given = {word.partition("=")[0] for word in service["Environment"].split()}

    assert "BUDDY_REDIS_URL" in secret  # so it was the right way to look
    assert given == {"HOME", "PYTHONDONTWRITEBYTECODE"}
    assert not re.search(
        r"://[^/\s]*@|(token|password|secret)\s*=", (FOLDER / name).read_text(), re.IGNORECASE
    )
    assert not [word for word in service["ExecStart"].split() if word.startswith("--redis-url")]
    # a machine that has all makes its token itself; a plane cannot do without what the file says
    prefix = "-" if PLANES[name] is Plane.ALL else ""
    assert service["EnvironmentFile"] == f"{prefix}/etc/openclaw-buddy/environment"


@each_unit
def test_a_unit_may_do_little(name: str) -> None:
    service = service_of(name)

    assert {option: service.get(option) for option in HARDENING} == HARDENING
    assert service["User"] != "root"


@pytest.mark.parametrize("name", BESIDE_THE_GATEWAY)
def test_the_gateway_outlives_the_unit_that_has_started_it(name: str) -> None:
    service = service_of(name)

    assert service["KillMode"] == "process"
    assert service["OOMPolicy"] == "continue"
    # the next worker must see the same files and processes as the gateway that the last one has left
    assert not {"PrivateTmp", "PrivateUsers", "ProtectProc", "PrivatePIDs", "PrivateNetwork"} & set(service)


def test_the_control_plane_sees_no_other_process_and_no_other_tmp() -> None:
    service = service_of("openclaw-buddy-control.service")

    assert (service["PrivateTmp"], service["ProtectProc"]) == ("yes", "invisible")


@each_unit
def test_systemd_does_not_try_again_what_only_a_person_can_mend(name: str) -> None:
    exit_codes = {
        error.exit_code
        for error in vars(failures).values()
        if isinstance(error, type) and issubclass(error, SetupError)
    }
    given_up = {int(code) for code in service_of(name)["RestartPreventExitStatus"].split()}

    assert given_up <= exit_codes
    assert failures.RedisUnreachableError.exit_code not in given_up
    assert failures.DatabaseUnusableError.exit_code not in given_up


@pytest.mark.timeout(60)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@each_unit
def test_systemd_understands_a_unit(name: str, tmp_path: Path) -> None:
    ours = str(Path(sys.executable).with_name("buddy"))
    file = tmp_path / name
    file.write_text((FOLDER / name).read_text().replace(BUDDY, ours))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", file],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    # it may complain about units of the system that runs the test
    assert [line for line in done.stderr.splitlines() if name in line] == []
