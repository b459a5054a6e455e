"""The service manager: the orders that systemd gets, what it answers, and a host without one."""

import asyncio
import os
from pathlib import Path

import pytest

from buddy_common.adapters import accounts, service_command, systemd
from buddy_common.adapters.processes import identify
from buddy_common.adapters.service_manager import ServiceManager
from buddy_common.errors import ServiceManagerError
from buddy_common.schemas.gateway import GatewayOwner, ServiceUnit
from buddy_common.schemas.processes import ProcessExit
from buddy_common.settings import GatewaySettings
from eventually import eventually
from fakes.service_manager import FakeServiceManager, install_fake_service_manager

NAME = "openclaw-gateway.service"
OURS = ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=True)
SYSTEMS = ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=False)
DAEMONS = ServiceUnit(GatewayOwner.SYSTEMD, NAME, user=True, account="daemon")
DAEMON_UID = 1  # every Unix has this account


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServiceManager:
    fake = install_fake_service_manager(tmp_path / "manager")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "RUNTIME_DIRS", tmp_path / "run")
    (tmp_path / "run" / str(os.geteuid())).mkdir(parents=True)
    return fake


@pytest.fixture
def services(tmp_path: Path) -> ServiceManager:
    return ServiceManager(GatewaySettings(config_dir=tmp_path), platform="linux")


def test_start_forgets_failed_starts_and_does_not_wait(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    fake.unit(NAME, ActiveState="failed", ExecMainCode="1", ExecMainStatus="1")

    services.start(OURS)

    assert fake.orders() == ["reset-failed", "start"]
    assert fake.calls[-1][2:] == ["--user", "start", "--no-block", "--", NAME]
    assert services.main_pid(OURS) == 1


def test_start_works_for_a_unit_that_is_not_in_memory(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    fake.unit(NAME, scope="system")

    services.start(SYSTEMS)

    assert services.main_pid(SYSTEMS) == 1


def test_stop_of_a_gateway_that_drains_returns_at_once(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    fake.unit(NAME, ActiveState="active", MainPID="7", drains=True)

    services.stop(OURS)

    status = services.status(OURS)
    assert fake.calls[0][2:] == ["--user", "stop", "--no-block", "--", NAME]
    assert status is not None
    assert (status.active, status.main_pid, status.last_exit) == (True, 7, None)


def test_kill_leaves_nothing_that_restarts(services: ServiceManager, fake: FakeServiceManager) -> None:
    """Restart=always brings back what was killed without a stop in the unit's queue."""
    fake.unit(NAME, ActiveState="active", MainPID="7", ExecMainPID="7", drains=True)

    services.kill(OURS)

    status = services.status(OURS)
    assert fake.orders() == ["stop", "kill"]
    assert status is not None
    assert not status.active
    assert services.result(OURS, pid=7) == ProcessExit(signal="SIGKILL")


def test_kill_takes_a_process_that_ends_in_between(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    fake.unit(NAME, ActiveState="active", MainPID="7")

    services.kill(OURS)

    assert fake.orders() == ["stop", "kill"]
    assert services.result(OURS) == ProcessExit(code=0)


def test_kill_without_an_answer_says_what_to_run(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.unit(NAME, ActiveState="active", MainPID="7", drains=True)
    fake.set(hang="kill")
    monkeypatch.setattr(service_command, "ANSWER_SECONDS", 0.5)

    with pytest.raises(ServiceManagerError, match="gave no answer") as failure:
        services.kill(OURS)

    assert failure.value.detail == {"by_hand": f"systemctl --user kill --signal=SIGKILL {NAME}"}


@pytest.mark.parametrize("order", ["start", "stop", "kill"])
def test_order_for_a_unit_that_is_not_there_fails(
    services: ServiceManager, fake: FakeServiceManager, order: str
) -> None:
    assert fake.calls == []

    with pytest.raises(ServiceManagerError, match=rf"Unit {NAME} not (found|loaded)"):
        getattr(services, order)(OURS)


def test_refusal_names_the_command_with_sudo(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.unit(NAME, scope="system", denied=True)
    monkeypatch.setattr(accounts, "own_uid", lambda: 4321)

    with pytest.raises(ServiceManagerError) as failure:
        services.stop(SYSTEMS)

    assert failure.value.message == (
        f"The stop of the systemd system service {NAME} failed: Failed to stop {NAME}: "
        f"Interactive authentication required. Try `sudo systemctl stop {NAME}`."
    )


def test_root_reaches_the_manager_of_another_account(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake.unit(NAME, scope="daemon@", ActiveState="active", MainPID="7", drains=True)
    monkeypatch.setattr(accounts, "own_uid", lambda: 0)
    (tmp_path / "run" / str(DAEMON_UID) / "systemd").mkdir(parents=True)

    services.stop(DAEMONS)

    assert fake.calls[0][2:] == ["--user", "--machine=daemon@", "stop", "--no-block", "--", NAME]
    assert services.main_pid(DAEMONS) == 7


def test_manager_of_another_account_is_never_started_by_a_question(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`systemctl --machine=daemon@ show` starts that account's manager, with all that is enabled there."""
    fake.unit(NAME, scope="daemon@", ActiveState="active", MainPID="7")
    monkeypatch.setattr(accounts, "own_uid", lambda: 0)

    assert services.status(DAEMONS) is None
    with pytest.raises(ServiceManagerError, match="`loginctl enable-linger daemon` starts it"):
        services.start(DAEMONS)
    assert fake.calls == []


def test_unit_of_another_account_is_refused_without_root(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.unit(NAME, scope="daemon@", ActiveState="active", MainPID="7")
    monkeypatch.setattr(accounts, "own_uid", lambda: 4321)

    assert services.status(DAEMONS) is None
    with pytest.raises(ServiceManagerError, match="belongs to daemon, and Buddy does not") as failure:
        services.stop(DAEMONS)
    assert failure.value.detail["by_hand"] == f"sudo systemctl --user --machine=daemon@ stop {NAME}"
    assert fake.calls == []


def test_user_units_are_found_where_nobody_set_the_runtime_folder(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not set under cron and in system units."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    fake.unit(NAME, ActiveState="active", MainPID="7")

    assert services.main_pid(OURS) == 7


@pytest.mark.parametrize(
    ("code", "status", "ended"),
    [
        ("0", "0", None),
        ("1", "78", ProcessExit(code=78)),
        ("2", "9", ProcessExit(signal="SIGKILL")),
        ("3", "11", ProcessExit(signal="SIGSEGV")),
        ("2", "99", ProcessExit(signal="signal 99")),
    ],
)
def test_result_tells_exit_code_and_signal(
    services: ServiceManager, fake: FakeServiceManager, code: str, status: str, ended: ProcessExit | None
) -> None:
    fake.unit(NAME, ActiveState="failed", ExecMainPID="7", ExecMainCode=code, ExecMainStatus=status)

    assert services.result(OURS) == ended
    assert services.result(OURS, pid=7) == ended
    assert services.result(OURS, pid=8) is None


def test_unit_that_waits_for_its_restart_or_its_turn_is_active(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    fake.unit(NAME, ActiveState="activating", ExecMainCode="1", ExecMainStatus="1")
    fake.unit("queued.service", Job="17")

    for name in (NAME, "queued.service"):
        status = services.status(ServiceUnit(GatewayOwner.SYSTEMD, name, user=True))
        assert status is not None
        assert status.active


def test_host_without_systemd_has_no_unit(services: ServiceManager, fake: FakeServiceManager) -> None:
    fake.unit(NAME)
    fake.set(booted=False)

    assert services.status(OURS) is None
    assert services.main_pid(OURS) is None
    assert services.result(OURS) is None
    with pytest.raises(ServiceManagerError, match="has not been booted with systemd"):
        services.start(OURS)


def test_host_without_systemctl_has_no_unit(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert fake.calls == []
    monkeypatch.setenv("PATH", str(tmp_path))

    assert services.status(OURS) is None
    with pytest.raises(ServiceManagerError, match="systemctl cannot be run: No such file"):
        services.stop(OURS)


async def test_await_process_returns_the_new_process(
    services: ServiceManager, fake: FakeServiceManager
) -> None:
    async def questions() -> int:
        return await asyncio.to_thread(lambda: len(fake.calls))

    await asyncio.to_thread(fake.unit, NAME, Job="62", ExecMainCode="1")
    waiting = asyncio.create_task(asyncio.to_thread(services.await_process, OURS, seconds=9))
    await eventually(questions, lambda count: count > 1)
    await asyncio.to_thread(fake.unit, NAME, ActiveState="active", MainPID=str(os.getpid()))

    assert await waiting == await asyncio.to_thread(identify, os.getpid())


def test_await_process_tells_a_start_that_ended_at_once(
    services: ServiceManager, fake: FakeServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "own_uid", lambda: 0)
    (systemd.RUNTIME_DIRS / "0").mkdir(exist_ok=True)
    fake.unit(NAME, ActiveState="failed", ExecMainPID="7", ExecMainCode="1", ExecMainStatus="78")

    with pytest.raises(ServiceManagerError, match=r"it ended at once \(exit code 78\)") as failure:
        services.await_process(OURS, seconds=5)
    assert failure.value.detail["by_hand"] == f"journalctl --user-unit {NAME}"


def test_await_process_has_an_end(services: ServiceManager, fake: FakeServiceManager) -> None:
    fake.unit(NAME, ActiveState="activating")

    with pytest.raises(ServiceManagerError, match="it has no process"):
        services.await_process(OURS, seconds=0)
