"""Which systemd unit belongs to the gateway of a folder."""

import os
from pathlib import Path

import pytest

from buddy_common.adapters import accounts, systemd, systemd_units
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.schemas.gateway import GatewayOwner, ServiceUnit
from buddy_common.settings import GatewaySettings
from fakes.service_manager import FakeServiceManager, install_fake_service_manager

NAME = "openclaw-gateway.service"
# as `systemctl show` of systemd 252 prints what OpenClaw 2026.9.6 installs
ENVIRONMENT = (
    'HOME={home} TMPDIR=/tmp NODE_OPTIONS= OPENCLAW_GATEWAY_PORT=18789 "OPENCLAW_WINDOWS_TASK_NAME=OpenClaw '
    'Gateway" OPENCLAW_SERVICE_MARKER=openclaw OPENCLAW_SERVICE_KIND=gateway'
)
COMMAND = (
    "{{ path={path} ; argv[]={path} {arguments} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ;"
    " pid=0 ; code=(null) ; status=0/0 }}"
)
RUN = COMMAND.format(path="/usr/bin/node", arguments="--max-old-space-size=8192 /o/openclaw/index.js gateway")
WRAPPER = COMMAND.format(path="/home/a/run-claw.sh", arguments="")
BUDDY = COMMAND.format(path="/opt/openclaw/bin/buddy", arguments="up")


class Host:
    """A home, the folders of unit files, and the systemd that has read them."""

    def __init__(self, folder: Path, fake: FakeServiceManager) -> None:
        self.home = folder / "home"
        self.etc = folder / "etc"
        self.fake = fake
        self.home.mkdir()

    def install(self, name: str = NAME, *, scope: str = "user", **properties: str) -> None:
        folder = self.etc / "system" if scope == "system" else self.home / ".config/systemd/user"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("[Service]\nExecStart=node openclaw/index.js gateway\n")
        defaults = {"Environment": ENVIRONMENT.format(home=self.home), "ExecStart": RUN}
        self.fake.unit(name, scope=scope, **(defaults | properties))

    def found(self, config_dir: str = ".openclaw", *, service: str | None = None) -> ServiceUnit | None:
        settings = GatewaySettings(config_dir=self.home / config_dir, service=service)
        return ServiceManager(settings, platform="linux").installed_unit()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    fake = install_fake_service_manager(tmp_path / "manager")
    host = Host(tmp_path, fake)
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(host.home))
    monkeypatch.setattr(systemd_units, "SYSTEM_FOLDERS", (host.etc,))
    monkeypatch.setattr(systemd, "RUNTIME_DIRS", tmp_path / "run")
    (tmp_path / "run" / str(os.geteuid())).mkdir(parents=True)
    return host


def ours(name: str = NAME) -> ServiceUnit:
    return ServiceUnit(GatewayOwner.SYSTEMD, name, user=True)


def systems(name: str = NAME) -> ServiceUnit:
    return ServiceUnit(GatewayOwner.SYSTEMD, name, user=False)


def test_unit_of_the_account_belongs_to_its_folder_only(host: Host) -> None:
    host.install()

    assert host.found() == ours()
    assert host.found("elsewhere") is None
    assert host.found(".openclaw-work") is None


def test_unit_of_a_profile_belongs_to_the_folder_of_the_profile(host: Host) -> None:
    name = "openclaw-gateway-work.service"
    host.install()
    host.install(name)

    assert host.found(".openclaw-work") == ours(name)
    assert host.found() == ours()


@pytest.mark.parametrize(
    "variable",
    ["OPENCLAW_STATE_DIR={home}/else where", '"OPENCLAW_CONFIG_PATH={home}/else where/openclaw.json"'],
)
def test_unit_that_names_a_folder_belongs_to_it(host: Host, variable: str) -> None:
    quoted = f'"{variable}"'.replace('""', '"').format(home=host.home)
    host.install("claw.service", Environment=f"A=1 {quoted}")

    assert host.found("else where") == ours("claw.service")
    assert host.found() is None


def test_unit_by_hand_is_known_by_its_command(host: Host) -> None:
    profile = COMMAND.format(path="/usr/bin/openclaw", arguments="--profile work gateway run")
    host.install("claw.service", Environment="", ExecStart=profile)

    assert host.found(".openclaw-work") == ours("claw.service")
    assert host.found() is None


def test_system_unit_belongs_to_the_home_of_its_user(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.install("claw.service", scope="system", Environment="", User=str(os.geteuid()))
    assert host.found() == systems("claw.service")

    host.fake.unit("claw.service", scope="system", User="no-such-account")
    assert host.found() is None


def test_unit_that_runs_wins_over_one_that_is_only_installed(host: Host) -> None:
    host.install()
    host.install(scope="system")
    assert host.found() == ours()

    host.fake.unit(NAME, scope="system", ActiveState="active")
    assert host.found() == systems()


@pytest.mark.parametrize("state", ["masked", "not-found", "bad-setting"])
def test_unit_that_cannot_be_started_does_not_count(host: Host, state: str) -> None:
    host.install(LoadState=state)

    assert host.found() is None


def test_host_without_systemd_has_no_unit_even_with_a_file(host: Host) -> None:
    host.install()
    host.fake.set(booted=False)

    assert host.found() is None


def test_units_that_run_something_else_are_left_alone(host: Host) -> None:
    host.install("openclaw-buddy.service", Environment="", ExecStart=BUDDY)
    host.install("openclaw-node.service", Environment=ENVIRONMENT.replace("KIND=gateway", "KIND=node"))
    host.install("openclaw-run.service", Environment="", ExecStart=WRAPPER)
    host.install("openclaw@.service")

    assert host.found() is None


def test_unreadable_unit_files_and_variables_are_passed_over(host: Host) -> None:
    host.install("a-broken.service", Environment='"unfinished')
    (host.home / ".config/systemd/user/b-dangling.service").symlink_to("/nowhere/x.service")
    (host.home / ".config/systemd/user/c-masked.service").symlink_to("/dev/null")
    host.install()

    assert host.found() is not None


def test_unit_of_another_account_is_found_through_its_folder(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Buddy as root, the gateway of somebody else."""
    host.install(scope="alice@")
    (host.home / ".openclaw").mkdir()
    alice = accounts.Account(os.geteuid(), "alice", host.home)
    monkeypatch.setattr(accounts, "own_uid", lambda: 0)
    monkeypatch.setattr(accounts, "account_of_uid", lambda _: alice)
    monkeypatch.setattr(accounts, "uid_of", lambda _: 4321)
    assert host.found() is None  # her manager is down

    (tmp_path / "run" / "4321" / "systemd").mkdir(parents=True)
    assert host.found() == ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=True, account="alice")


def test_setting_names_the_unit(host: Host) -> None:
    host.install()
    host.install("claw.service", scope="system", Environment="", ExecStart=WRAPPER)

    assert host.found(service="claw") == systems("claw.service")
    assert host.found(service="claw.service") == systems("claw.service")
    assert host.found(service="none") is None


def test_unit_of_the_setting_is_believed_when_it_is_missing(host: Host) -> None:
    host.install()

    found = host.found(service="missing")

    assert found is not None
    assert (found.name, found.manager) == ("missing.service", GatewayOwner.SYSTEMD)
