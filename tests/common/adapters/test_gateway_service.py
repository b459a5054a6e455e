"""A gateway whose process a systemd unit keeps: the unit is asked and ordered, never its process."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from buddy_common.adapters import cgroups, gateway_host, journal, systemd, systemd_units
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.host_system import LocalSystem
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.processes import identify
from buddy_common.errors import GatewayElsewhereError, ServiceManagerError, StateUnwritableError
from buddy_common.schemas.gateway import Desired, GatewayOwner, GatewaySnapshot, GatewayState
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings, OpenClawSettings
from buddy_common.usecases.observe_gateway import observe_gateway
from buddy_common.usecases.stop_gateway import stop_gateway
from eventually import eventually
from fakes.progress import RecordingProgress
from fakes.service_manager import FakeServiceManager, install_fake_service_manager

NAME = "openclaw-gateway.service"
GROUP = f"/user.slice/user-{os.geteuid()}.slice/user@{os.geteuid()}.service/app.slice/{NAME}"
RUN, NEXT_RUN = "1" * 32, "2" * 32


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServiceManager:
    """A systemd with OpenClaw's own unit; no process is in it yet."""
    fake = install_fake_service_manager(tmp_path / "manager")
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(systemd, "RUNTIME_DIRS", tmp_path / "run")
    (tmp_path / "run" / str(os.geteuid())).mkdir(parents=True)
    monkeypatch.setattr(systemd_units, "SYSTEM_FOLDERS", ())
    units = tmp_path / ".config/systemd/user"
    units.mkdir(parents=True)
    (units / NAME).write_text("[Service]\nExecStart=/usr/bin/node /usr/lib/openclaw/index.js gateway\n")
    fake.unit(NAME)
    return fake


@pytest.fixture
def gateway(fake: FakeServiceManager, tmp_path: Path) -> HostGateway:
    assert fake.calls == []
    settings = GatewaySettings(config_dir=tmp_path / ".openclaw", port=1)
    return HostGateway(
        settings,
        HostOpenClaw(OpenClawSettings(), tmp_path),
        state=FileHostState(tmp_path / "node"),
        log_file=tmp_path / "gateway-local.log",
        port_file=tmp_path / "port.json",
    )


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands in for the gateway's."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def process(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ProcessIdentity:
    """The same, in the unit's control group."""
    monkeypatch.setattr(cgroups, "PROC", tmp_path / "proc")
    put_into(tmp_path, "self", "/system.slice/buddy.service")
    put_into(tmp_path, child.pid, GROUP)
    found = identify(child.pid)
    assert found is not None
    return found


def put_into(tmp_path: Path, pid: int | str, group: str, *, namespace: str = "pid:[1]") -> None:
    folder = tmp_path / "proc" / str(pid)
    (folder / "ns").mkdir(parents=True, exist_ok=True)
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "ns" / "pid").unlink(missing_ok=True)
    (folder / "ns" / "pid").symlink_to(namespace)


def runs(fake: FakeServiceManager, process: ProcessIdentity, run: str = RUN) -> None:
    """Let it be the unit's process."""
    pid = str(process.pid)
    fake.unit(NAME, ActiveState="active", MainPID=pid, ExecMainPID=pid, ExecMainCode="0", InvocationID=run)


def ended(fake: FakeServiceManager, child: subprocess.Popen[bytes], *, code: int, state: str) -> None:
    """Let the unit's process be over."""
    child.kill()
    child.wait(timeout=5)
    fake.unit(NAME, ActiveState=state, MainPID="0", ExecMainCode="1", ExecMainStatus=str(code))


async def questions(fake: FakeServiceManager) -> int:
    return await asyncio.to_thread(lambda: len(fake.calls))


async def test_start_waits_for_the_process_of_the_unit(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity
) -> None:
    await asyncio.to_thread(fake.unit, NAME, started={"ActiveState": "activating", "Job": "62"})
    starting = asyncio.create_task(gateway.start({"MY_KEY": "k"}))
    await eventually(lambda: asyncio.to_thread(fake.orders), lambda orders: "start" in orders)
    asked = await questions(fake)
    await eventually(lambda: questions(fake), lambda count: count > asked)
    assert not starting.done()

    await asyncio.to_thread(runs, fake, process)

    assert await starting == process
    assert await gateway.owner(process) is GatewayOwner.SYSTEMD
    assert await gateway.start_command() == f"systemctl --user start {NAME}"


@pytest.mark.usefixtures("fake")
async def test_process_of_the_unit_is_found_before_it_listens(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity
) -> None:
    assert await gateway.service_process() is None

    await asyncio.to_thread(runs, fake, process)

    assert await gateway.service_process() == process


async def test_unit_whose_process_ends_at_once_stays_down_and_its_words_are_told(
    gateway: HostGateway, fake: FakeServiceManager
) -> None:
    """Restart=always would start for ever what cannot be executed."""
    after = {"ActiveState": "activating", "ExecMainPID": "7", "ExecMainCode": "1", "ExecMainStatus": "203"}
    await asyncio.to_thread(fake.unit, NAME, ExecMainPID="6", started=after, InvocationID=RUN)
    await asyncio.to_thread(fake.writes, RUN, "Failed to locate executable /gone/node")

    with pytest.raises(ServiceManagerError) as failure:
        await gateway.start({})

    assert "it ended at once (exit code 203): Failed to locate executable /gone/node." in str(failure.value)
    assert await asyncio.to_thread(fake.orders) == ["reset-failed", "start", "stop"]


async def test_terminate_and_kill_go_through_the_manager(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, child: subprocess.Popen[bytes]
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.unit, NAME, drains=True)

    await gateway.terminate(process)
    assert await asyncio.to_thread(fake.orders) == ["stop"]
    await gateway.kill(process)

    assert await asyncio.to_thread(fake.orders) == ["stop", "stop", "kill"]
    assert child.poll() is None  # no signal was ours


async def test_unit_that_we_have_stopped_is_told_from_one_that_somebody_else_has(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, child: subprocess.Popen[bytes]
) -> None:
    await asyncio.to_thread(runs, fake, process)
    assert not await gateway.was_ended_by_us()

    await gateway.terminate(process)
    await asyncio.to_thread(ended, fake, child, code=0, state="inactive")
    assert await gateway.was_ended_by_us()

    await asyncio.to_thread(fake.unit, NAME, ActiveState="active", MainPID="1", ExecMainPID="1")
    assert not await gateway.was_ended_by_us()
    await asyncio.to_thread(fake.unit, NAME, ActiveState="inactive", MainPID="0")
    assert not await gateway.was_ended_by_us()


async def test_unit_that_would_not_let_us_stop_it_is_later_stopped_by_somebody_else(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, child: subprocess.Popen[bytes]
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.unit, NAME, denied=True)
    with pytest.raises(ServiceManagerError):
        await gateway.terminate(process)

    await asyncio.to_thread(ended, fake, child, code=0, state="inactive")

    assert not await gateway.was_ended_by_us()


async def test_unit_that_cannot_be_killed_is_still_stopped_by_us(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, child: subprocess.Popen[bytes]
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await gateway.terminate(process)
    await asyncio.to_thread(fake.unit, NAME, denied=True)
    with pytest.raises(ServiceManagerError):
        await gateway.kill(process)

    await asyncio.to_thread(ended, fake, child, code=0, state="inactive")

    assert await gateway.was_ended_by_us()


async def test_unit_is_stopped_also_where_that_cannot_be_noted(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StateUnwritableError("No space left on device.")

    monkeypatch.setattr(FileHostState, "note_ending", refuse)
    await asyncio.to_thread(runs, fake, process)

    await gateway.terminate(process)

    assert await asyncio.to_thread(fake.orders) == ["stop"]


@pytest.mark.parametrize("namespace", ["pid:[1]", "pid:[2]"])
async def test_gateway_of_another_container_gets_no_signal(
    gateway: HostGateway,
    fake: FakeServiceManager,
    process: ProcessIdentity,
    child: subprocess.Popen[bytes],
    tmp_path: Path,
    namespace: str,
) -> None:
    await asyncio.to_thread(put_into, tmp_path, process.pid, f"/docker/{'1f' * 32}", namespace=namespace)

    with pytest.raises(GatewayElsewhereError, match=f"sleep \\(pid {process.pid}\\)") as failure:
        await gateway.terminate(process)
    with pytest.raises(GatewayElsewhereError):
        await gateway.kill(process)

    assert failure.value.status is HTTPStatus.CONFLICT
    assert child.poll() is None
    assert await asyncio.to_thread(fake.orders) == []


async def test_end_of_the_process_is_what_the_unit_says(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, child: subprocess.Popen[bytes]
) -> None:
    await asyncio.to_thread(runs, fake, process)
    assert await gateway.poll_exit(process) is None
    await asyncio.to_thread(child.kill)
    await asyncio.to_thread(child.wait, timeout=5)
    assert await gateway.poll_exit(process) is None  # systemd has not collected it yet

    await asyncio.to_thread(ended, fake, child, code=78, state="failed")

    assert await gateway.poll_exit(process) == ProcessExit(code=78)
    assert await gateway.last_exit() == ProcessExit(code=78)


async def test_end_that_systemd_has_forgotten_is_unknown(
    gateway: HostGateway,
    fake: FakeServiceManager,
    process: ProcessIdentity,
    child: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A unit that is not enabled leaves the memory of systemd when it has stopped."""
    await asyncio.to_thread(runs, fake, process)
    await gateway.owner(process)
    await asyncio.to_thread(ended, fake, child, code=0, state="inactive")
    await asyncio.to_thread(fake.unit, NAME, ExecMainPID="0", ExecMainCode="0", InvocationID="")
    monkeypatch.setattr(gateway_host, "RECORD_SECONDS", 0.0)

    assert await gateway.poll_exit(process) == ProcessExit()
    assert await gateway.last_exit() is None


async def test_successor_is_the_next_process_of_the_unit(
    gateway: HostGateway,
    fake: FakeServiceManager,
    process: ProcessIdentity,
    child: subprocess.Popen[bytes],
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await gateway.owner(process)
    await asyncio.to_thread(ended, fake, child, code=0, state="activating")
    asked = await questions(fake)
    waiting = asyncio.create_task(gateway.successor(process))
    await eventually(lambda: questions(fake), lambda count: count > asked + 1)
    ourselves = await asyncio.to_thread(identify, os.getpid())
    assert ourselves is not None

    await asyncio.to_thread(runs, fake, ourselves, NEXT_RUN)

    assert await waiting == ourselves
    assert await gateway.owner(ourselves) is GatewayOwner.SYSTEMD


async def test_unit_that_stays_down_brings_no_successor(
    gateway: HostGateway,
    fake: FakeServiceManager,
    process: ProcessIdentity,
    child: subprocess.Popen[bytes],
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await gateway.owner(process)
    await asyncio.to_thread(ended, fake, child, code=0, state="inactive")

    assert await gateway.successor(process) is None


@pytest.mark.usefixtures("process")
async def test_process_without_a_service_has_neither_successor_nor_service_log(gateway: HostGateway) -> None:
    ourselves = await asyncio.to_thread(identify, os.getpid())
    assert ourselves is not None

    assert await gateway.successor(ourselves) is None
    assert await gateway.service_lines(ourselves, None) == ([], None)
    assert await gateway.log_command(ourselves) is None


@pytest.mark.parametrize(
    ("state", "held", "orders"),
    [("activating", True, ["stop"]), ("inactive", False, []), ("failed", False, [])],
)
async def test_hold_down_stops_a_unit_that_would_start_and_no_other(
    gateway: HostGateway, fake: FakeServiceManager, state: str, *, held: bool, orders: list[str]
) -> None:
    await asyncio.to_thread(fake.unit, NAME, ActiveState=state)

    assert await gateway.hold_down() is held

    assert await asyncio.to_thread(fake.orders) == orders


async def test_host_without_a_unit_holds_nothing_down(gateway: HostGateway, tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / ".config/systemd/user" / NAME).unlink)

    assert not await gateway.hold_down()
    assert await gateway.service_process() is None
    assert await gateway.last_exit() is None
    assert await gateway.start_command() == "openclaw gateway run"


async def test_lines_of_the_journal_are_read_on_from_the_last_look(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.writes, RUN, "loading", "\x1b[31mInvalid config\x1b[0m", "")

    lines, position = await gateway.service_lines(process, None)
    assert lines == ["loading", "Invalid config"]
    assert await gateway.service_lines(process, position) == ([], position)
    await asyncio.to_thread(fake.writes, RUN, "ready")

    assert (await gateway.service_lines(process, position))[0] == ["ready"]


async def test_lines_of_the_next_run_are_not_taken_for_those_of_this_one(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.writes, RUN, "the reason")
    await asyncio.to_thread(fake.writes, NEXT_RUN, "starting again")
    _, position = await gateway.service_lines(process, None)
    await asyncio.to_thread(fake.unit, NAME, MainPID="1", ExecMainPID="1", InvocationID=NEXT_RUN)

    assert await gateway.service_lines(process, position) == ([], position)
    assert (await gateway.service_lines(process, None))[0] == ["the reason"]


async def test_long_journal_is_read_in_parts(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LINES", 2)
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.writes, RUN, "1", "2", "3")

    lines, position = await gateway.service_lines(process, None)
    assert lines == ["2", "3"]  # at first, the last ones
    await asyncio.to_thread(fake.writes, RUN, "4", "5", "6")
    lines, position = await gateway.service_lines(process, position)

    assert lines == ["4", "5"]
    assert (await gateway.service_lines(process, position))[0] == ["6"]


async def test_run_that_wrote_nothing_and_a_unit_without_a_run_have_no_lines(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity
) -> None:
    await asyncio.to_thread(runs, fake, process, "")
    assert await gateway.service_lines(process, None) == ([], None)

    await asyncio.to_thread(runs, fake, process)
    assert await gateway.service_lines(process, None) == ([], None)


async def test_journal_that_may_not_be_read_or_gives_no_answer_has_no_lines(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(runs, fake, process)
    await asyncio.to_thread(fake.writes, RUN, "secret")
    await asyncio.to_thread(fake.set, unreadable=True)
    assert await gateway.service_lines(process, "s=1f;i=0") == ([], "s=1f;i=0")

    monkeypatch.setattr(journal, "ANSWER_SECONDS", 0.3)
    await asyncio.to_thread(fake.set, unreadable=False, hang="journalctl")
    assert await gateway.service_lines(process, None) == ([], None)

    await asyncio.to_thread((fake.bin / "journalctl").unlink)
    monkeypatch.setenv("PATH", str(fake.bin))
    assert await gateway.service_lines(process, None) == ([], None)


async def look(gateway: HostGateway, tmp_path: Path) -> GatewaySnapshot:
    state = FileHostState(tmp_path / "node")
    await state.set_desired(Desired.RUNNING)
    return await observe_gateway(gateway, state, node="local", system=LocalSystem(tmp_path), busy=False)


async def test_unit_that_starts_by_itself_is_seen_to_start(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, tmp_path: Path
) -> None:
    """At boot, and after a crash: it has not crashed, it only does not listen yet."""
    await asyncio.to_thread(runs, fake, process)

    seen = await look(gateway, tmp_path)

    assert (seen.state, seen.owner) == (GatewayState.STARTING, GatewayOwner.SYSTEMD)
    assert seen.pid == process.pid


@pytest.mark.parametrize(("code", "state"), [(78, GatewayState.CONFIG_ERROR), (1, GatewayState.CRASHED)])
async def test_config_that_blocks_the_unit_is_called_by_its_name(
    gateway: HostGateway,
    fake: FakeServiceManager,
    child: subprocess.Popen[bytes],
    tmp_path: Path,
    code: int,
    state: GatewayState,
) -> None:
    await asyncio.to_thread(ended, fake, child, code=code, state="failed")

    assert (await look(gateway, tmp_path)).state is state


async def test_stop_while_the_unit_waits_for_its_restart_keeps_it_down_and_says_so(
    gateway: HostGateway, fake: FakeServiceManager, child: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    await asyncio.to_thread(ended, fake, child, code=1, state="activating")
    progress = RecordingProgress()

    stopped = await stop_gateway(
        gateway, FileHostState(tmp_path / "node"), progress=progress, drain_seconds=5, force=False
    )

    assert not stopped.wasRunning
    assert progress.lines == ["The gateway is not running, its service was about to start it"]
    assert await asyncio.to_thread(fake.orders) == ["stop"]


async def test_restart_starts_the_unit_that_it_has_stopped_even_if_no_file_gives_it_away(
    gateway: HostGateway, fake: FakeServiceManager, process: ProcessIdentity, tmp_path: Path
) -> None:
    """A unit of somebody's own, whose command is a script: it is found by its process alone."""
    await asyncio.to_thread((tmp_path / ".config/systemd/user" / NAME).unlink)
    await asyncio.to_thread(runs, fake, process)
    assert await gateway.owner(process) is GatewayOwner.SYSTEMD

    await gateway.terminate(process)
    await gateway.start({})

    orders = await asyncio.to_thread(fake.orders)
    assert (orders[0], orders[-1]) == ("stop", "start")
