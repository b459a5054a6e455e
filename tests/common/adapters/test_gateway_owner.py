"""Who keeps a process: ourselves, a service, a container, or nobody."""

import os
from pathlib import Path

import pytest

from buddy_common.adapters import cgroups, systemd
from buddy_common.adapters.gateway_owner import owner_of
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.schemas.gateway import GatewayOwner, Ownership, ServiceUnit
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.settings import GatewaySettings
from fakes.service_manager import FakeServiceManager, install_fake_service_manager

GATEWAY = ProcessIdentity(324, 10.0, "openclaw-gateway", is_gateway=True)
NAME = "openclaw-gateway.service"
# as real groups of OpenClaw 2026.9.6 under systemd 252
USER_UNIT = f"/user.slice/user-{{uid}}.slice/user@{{uid}}.service/app.slice/{NAME}"
SYSTEM_UNIT = f"/system.slice/{NAME}"
SESSION = "/user.slice/user-1000.slice/session-3.scope"
TERMINAL = "/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope"
ONE, TWO = "1f" * 32, "2e" * 32
PLAIN = Ownership(GatewayOwner.PLAIN)


class Kernel:
    """What /proc says of the gateway and of ourselves."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.says("self", "/system.slice/buddy.service")

    def says(self, pid: int | str, group: str, *, namespace: str = "pid:[1]", lines: str = "") -> None:
        folder = self.proc / str(pid) / "ns"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "cgroup").write_text(lines or f"9:name=systemd:/\n4:memory:/\n0::{group}\n")
        (folder / "pid").unlink(missing_ok=True)
        (folder / "pid").symlink_to(namespace)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(cgroups, "PROC", tmp_path / "proc")
    return Kernel(tmp_path / "proc")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServiceManager:
    fake = install_fake_service_manager(tmp_path / "manager")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "RUNTIME_DIRS", tmp_path / "run")
    (tmp_path / "run" / str(os.geteuid())).mkdir(parents=True)
    return fake


def owner(*, spawned: ProcessIdentity | None = None, service: str | None = None) -> Ownership:
    services = ServiceManager(GatewaySettings(service=service), platform="linux")
    return owner_of(GATEWAY, spawned=spawned, services=services)


def systemd_unit(name: str = NAME, *, user: bool = False) -> Ownership:
    return Ownership(GatewayOwner.SYSTEMD, ServiceUnit(GatewayOwner.SYSTEMD, name, user=user))


def test_process_that_we_started_is_ours_wherever_it_runs(kernel: Kernel, fake: FakeServiceManager) -> None:
    kernel.says(GATEWAY.pid, SYSTEM_UNIT, namespace="pid:[2]")

    assert owner(spawned=GATEWAY) == Ownership(GatewayOwner.OURS)
    assert owner(spawned=ProcessIdentity(324, 9.0, "openclaw")) != Ownership(GatewayOwner.OURS)
    assert fake.calls == []


def test_process_of_a_user_unit_belongs_to_it(kernel: Kernel, fake: FakeServiceManager) -> None:
    kernel.says(GATEWAY.pid, USER_UNIT.format(uid=os.geteuid()))
    fake.unit(NAME, ActiveState="active", MainPID=str(GATEWAY.pid))

    assert owner() == systemd_unit(user=True)


def test_process_of_another_accounts_unit_names_the_account(kernel: Kernel, fake: FakeServiceManager) -> None:
    kernel.says(GATEWAY.pid, USER_UNIT.format(uid=1))

    unit = owner().unit

    assert unit == ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=True, account="daemon")
    assert str(unit) == f"systemd user service {NAME} of daemon"
    assert fake.calls == []  # its manager is down here, and stays down


def test_process_of_a_system_unit_belongs_to_it(kernel: Kernel, fake: FakeServiceManager) -> None:
    """A name of any kind: that it is the unit's main process says enough."""
    kernel.says(GATEWAY.pid, "/system.slice/system-claw.slice/claw@bob.service")
    fake.unit("claw@bob.service", scope="system", ActiveState="active", MainPID=str(GATEWAY.pid))

    assert owner() == systemd_unit("claw@bob.service")


@pytest.mark.usefixtures("fake")
def test_unit_is_named_even_where_systemd_cannot_be_asked(kernel: Kernel) -> None:
    kernel.says(GATEWAY.pid, f"/../..{SYSTEM_UNIT}")

    assert owner() == systemd_unit()


def test_groups_of_version_1_are_read(kernel: Kernel, fake: FakeServiceManager) -> None:
    lines = f"12:memory:/system.slice/cron.service\n1:name=systemd:{SYSTEM_UNIT}\n"
    kernel.says(GATEWAY.pid, "", lines=lines)
    fake.unit(NAME, scope="system", ActiveState="active", MainPID=str(GATEWAY.pid))

    assert owner() == systemd_unit()


@pytest.mark.parametrize("name", ["cron.service", "ssh.service", "pm2-root.service", "tmux.service"])
def test_service_that_merely_contains_the_gateway_does_not_own_it(
    kernel: Kernel, fake: FakeServiceManager, name: str
) -> None:
    """To stop it would end far more than the gateway."""
    kernel.says(GATEWAY.pid, f"/system.slice/{name}")
    fake.unit(name, scope="system", ActiveState="active", MainPID="99")

    assert owner() == PLAIN
    assert owner(service=name) == systemd_unit(name)
    assert owner(service=name.removesuffix(".service")) == systemd_unit(name)


def test_wrapper_of_a_gateway_unit_owns_it(kernel: Kernel, fake: FakeServiceManager) -> None:
    kernel.says(GATEWAY.pid, "/system.slice/claw.service")
    command = "{ path=/bin/sh ; argv[]=/bin/sh -c openclaw gateway | tee log ; ignore_errors=no ; pid=0 }"
    fake.unit("claw.service", scope="system", MainPID="99", ExecStart=command)

    assert owner() == systemd_unit("claw.service")


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("group", ["/", SESSION, TERMINAL, "/user.slice/user@1000.service/init.scope"])
def test_process_outside_of_services_is_plain(kernel: Kernel, group: str) -> None:
    kernel.says(GATEWAY.pid, group)

    assert owner() == PLAIN


def test_our_own_unit_is_nobodys(kernel: Kernel, fake: FakeServiceManager) -> None:
    """It was started by an earlier Buddy, or by hand in the unit that Buddy runs in."""
    kernel.says("self", SYSTEM_UNIT)
    kernel.says(GATEWAY.pid, SYSTEM_UNIT)

    assert owner() == PLAIN
    assert fake.calls == []


def test_setting_none_asks_no_manager(kernel: Kernel, fake: FakeServiceManager) -> None:
    kernel.says(GATEWAY.pid, SYSTEM_UNIT)

    assert owner(service="none") == PLAIN
    assert fake.calls == []


def test_process_in_another_pid_namespace_is_in_a_container(kernel: Kernel, fake: FakeServiceManager) -> None:
    """Its group may name a unit of the systemd inside, which is none of ours."""
    kernel.says(GATEWAY.pid, f"/machine.slice/machine-box.scope/payload{SYSTEM_UNIT}", namespace="pid:[2]")
    fake.unit(NAME, scope="system", ActiveState="active", MainPID=str(GATEWAY.pid))

    assert owner() == Ownership(GatewayOwner.CONTAINER)
    assert ServiceManager(GatewaySettings(), platform="linux").unit_of(GATEWAY) is None


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("/", f"/../{TWO}", GatewayOwner.CONTAINER),
        (f"/docker/{ONE}", f"/docker/{TWO}", GatewayOwner.CONTAINER),
        (f"/docker/{ONE}", f"/docker/{ONE}", GatewayOwner.PLAIN),
        (f"/system.slice/docker-{ONE}.scope", f"/system.slice/docker-{TWO}.scope", GatewayOwner.CONTAINER),
        ("/", f"/../cri-containerd-{TWO}.scope", GatewayOwner.CONTAINER),
        ("/", f"/machine.slice/libpod-{TWO}.scope/container", GatewayOwner.CONTAINER),
        ("/", "/lxc.payload.box/init.scope", GatewayOwner.CONTAINER),
        ("/", "/machine.slice/machine-box.scope/payload", GatewayOwner.CONTAINER),
        ("/", "/", GatewayOwner.PLAIN),
    ],
)
def test_containers_that_share_a_pid_namespace_differ_by_their_groups(
    kernel: Kernel, ours: str, theirs: str, kind: GatewayOwner
) -> None:
    kernel.says("self", ours)
    kernel.says(GATEWAY.pid, theirs)

    assert owner() == Ownership(kind)


@pytest.mark.usefixtures("fake")
def test_systemd_inside_of_our_own_container_counts(kernel: Kernel) -> None:
    kernel.says("self", f"/docker/{ONE}/system.slice/buddy.service")
    kernel.says(GATEWAY.pid, f"/docker/{ONE}{SYSTEM_UNIT}")

    assert owner() == systemd_unit()


@pytest.mark.usefixtures("fake")
def test_what_cannot_be_read_is_plain(kernel: Kernel) -> None:
    assert owner() == PLAIN  # the process is gone

    kernel.says(GATEWAY.pid, "", lines="no group at all")
    (kernel.proc / str(GATEWAY.pid) / "ns" / "pid").unlink()
    assert owner() == PLAIN


@pytest.mark.usefixtures("fake")
def test_real_process_of_ours_is_plain() -> None:
    own = ProcessIdentity(os.getpid(), 0.0, "pytest")

    assert owner_of(own, spawned=None, services=ServiceManager(GatewaySettings())) == PLAIN
