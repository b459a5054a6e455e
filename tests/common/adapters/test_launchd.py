"""launchd: the orders that it gets, and which job belongs to the gateway of a folder.

Shaped by how OpenClaw itself handles its job; no Mac was at hand.
"""

import os
import plistlib
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import accounts, launchd, launchd_jobs
from buddy_common.adapters.gateway_owner import owner_of
from buddy_common.adapters.processes import identify
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.errors import ServiceManagerError
from buddy_common.schemas.gateway import GatewayOwner, Ownership, ServiceUnit
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings
from fakes.service_manager import FakeServiceManager, install_fake_service_manager

LABEL = "ai.openclaw.gateway"
UID = 501
TARGET = f"gui/{UID}/{LABEL}"
JOB = ServiceUnit(GatewayOwner.LAUNCHD, LABEL, user=True)
DAEMON = ServiceUnit(GatewayOwner.LAUNCHD, LABEL, user=False)
ARGUMENTS = ["/usr/local/bin/node", "/usr/local/lib/node_modules/openclaw/dist/index.js", "gateway"]
GATEWAY = ProcessIdentity(4242, 10.0, "openclaw-gateway", is_gateway=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(accounts, "own_uid", lambda: UID)
    monkeypatch.setattr(launchd_jobs, "DAEMONS", tmp_path / "daemons")
    return home


@pytest.fixture
def fake(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServiceManager:
    fake = install_fake_service_manager(tmp_path / "manager")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    fake.set(domain=f"gui/{UID}")
    return fake


@pytest.fixture
def services(home: Path) -> ServiceManager:
    return manager(home / ".openclaw")


def manager(config_dir: Path, service: str | None = None) -> ServiceManager:
    return ServiceManager(GatewaySettings(config_dir=config_dir, service=service), platform="darwin")


def install(folder: Path, label: str = LABEL, **job: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{label}.plist"
    file.write_bytes(plistlib.dumps({"Label": label, "ProgramArguments": ARGUMENTS} | job))
    return file


def test_start_loads_the_job_and_kicks_it(
    services: ServiceManager, fake: FakeServiceManager, home: Path
) -> None:
    plist = install(home / "Library/LaunchAgents")
    fake.job(TARGET, loaded=False, next_pid=os.getpid())

    services.start(JOB)

    assert [call for call in fake.calls if call[0] != "print"] == [
        ["enable", TARGET],
        ["bootstrap", f"gui/{UID}", str(plist)],
        ["kickstart", TARGET],
    ]
    assert services.await_process(JOB, seconds=5) == identify(os.getpid())


def test_start_of_a_loaded_job_only_kicks_it(services: ServiceManager, fake: FakeServiceManager) -> None:
    fake.job(TARGET)

    services.start(JOB)

    assert fake.orders() == ["enable", "kickstart"]


def test_start_waits_until_the_stopped_job_is_gone(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchd, "POLL_SECONDS", 0.01)
    fake.job(TARGET, loaded=False)
    fake.set(unloading=2)

    services.start(JOB)

    assert fake.orders() == ["enable", "bootstrap", "bootstrap", "bootstrap", "kickstart"]


def test_start_of_a_job_that_never_loads_has_an_end(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchd, "UNLOAD_SECONDS", 0.0)
    assert fake.calls == []

    with pytest.raises(ServiceManagerError, match="Bootstrap failed: 5") as failure:
        services.start(JOB)
    assert failure.value.detail["by_hand"] == f"launchctl bootstrap gui/{UID} {LABEL}.plist"


@pytest.mark.parametrize("job", [{"pid": 4242}, {"pid": 4242, "drains": True}, {"loaded": False}])
def test_stop_unloads_the_job(
    services: ServiceManager, fake: FakeServiceManager, job: dict[str, Any]
) -> None:
    """KeepAlive would bring it back otherwise; a job that drains, or is gone, is no failure."""
    fake.job(TARGET, **job)

    services.stop(JOB)

    assert fake.calls == [["bootout", TARGET]]


def test_stop_does_not_wait_for_a_job_that_drains(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchd, "HANDED_OVER_SECONDS", 0.3)
    fake.job(TARGET, pid=4242)
    fake.set(hang="bootout")

    services.stop(JOB)

    assert fake.calls == [["bootout", TARGET]]


def test_kill_unloads_first(services: ServiceManager, fake: FakeServiceManager) -> None:
    fake.job(TARGET, pid=4242, drains=True)

    services.kill(JOB)

    assert fake.calls == [["bootout", TARGET], ["kill", "SIGKILL", TARGET]]


def test_refusal_names_the_command_with_sudo(services: ServiceManager, fake: FakeServiceManager) -> None:
    fake.job(f"system/{LABEL}", pid=4242, denied=True)

    with pytest.raises(ServiceManagerError, match="Not privileged") as failure:
        services.stop(DAEMON)
    assert failure.value.detail["by_hand"] == f"sudo launchctl bootout system/{LABEL}"


@pytest.mark.parametrize(
    ("job", "ended"),
    [
        ({}, None),
        ({"exit": "78: EX_CONFIG"}, ProcessExit(code=78)),
        ({"exit": "0", "signal": "Killed: 9"}, ProcessExit(signal="SIGKILL")),
    ],
)
def test_result_tells_exit_code_and_signal(
    services: ServiceManager, fake: FakeServiceManager, job: dict[str, Any], ended: ProcessExit | None
) -> None:
    fake.job(TARGET, **job)

    assert services.result(JOB, pid=7) == ended
    assert services.main_pid(JOB) is None


def test_job_of_the_account_belongs_to_its_folder_only(home: Path) -> None:
    install(home / "Library/LaunchAgents")
    install(home / "Library/LaunchAgents", "ai.openclaw.work")
    (home / "Library/LaunchAgents/broken.plist").write_text("no property list")

    assert manager(home / ".openclaw").installed_unit() == JOB
    work = manager(home / ".openclaw-work").installed_unit()
    assert work is not None
    assert work.name == "ai.openclaw.work"
    assert manager(home / "elsewhere").installed_unit() is None
    assert manager(home / ".openclaw", "none").installed_unit() is None


def test_job_that_names_a_folder_belongs_to_it(home: Path, tmp_path: Path) -> None:
    """OpenClaw's own wrapper reads the variables from a file in the state folder."""
    state = home / "elsewhere"
    wrapper = [str(state / "service-env/x-env-wrapper.sh"), str(state / "service-env/x.env"), *ARGUMENTS]
    install(tmp_path / "daemons", "com.example.claw", ProgramArguments=wrapper)
    install(home / "Library/LaunchAgents", "ai.openclaw.node", ProgramArguments=["openclaw", "node"])

    assert manager(state).installed_unit() == ServiceUnit(
        GatewayOwner.LAUNCHD, "com.example.claw", user=False
    )


@pytest.mark.usefixtures("fake")
def test_setting_names_the_job(home: Path) -> None:
    assert manager(home / ".openclaw", "com.example.claw").installed_unit() == ServiceUnit(
        GatewayOwner.LAUNCHD, "com.example.claw", user=True
    )


def test_process_of_a_job_belongs_to_launchd(services: ServiceManager, fake: FakeServiceManager) -> None:
    assert owner_of(GATEWAY, spawned=None, services=services) == Ownership(GatewayOwner.PLAIN)

    fake.job(TARGET, pid=GATEWAY.pid)
    assert owner_of(GATEWAY, spawned=None, services=services) == Ownership(GatewayOwner.LAUNCHD, JOB)


def test_process_of_a_system_job_belongs_to_launchd(
    services: ServiceManager, fake: FakeServiceManager, tmp_path: Path
) -> None:
    install(tmp_path / "daemons")
    fake.job(f"system/{LABEL}", pid=GATEWAY.pid)

    assert owner_of(GATEWAY, spawned=None, services=services) == Ownership(GatewayOwner.LAUNCHD, DAEMON)
    assert services.main_pid(DAEMON) == GATEWAY.pid


def test_mac_without_an_answer_has_no_job(
    services: ServiceManager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert services.status(JOB) is None
    assert services.unit_of(GATEWAY) is None
