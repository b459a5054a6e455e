"""The first process of the gateway's container, as a process: with real gateways, where possible as pid 1."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from buddy_common.adapters.gateway_launcher import launch_gateway
from buddy_common.adapters.gateway_log import GatewayLog
from buddy_common.adapters.host_state import read_exit
from buddy_common.adapters.processes import is_alive
from buddy_common.errors import GatewayStartError
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from eventually import wait_until

INIT = [sys.executable, "-m", "buddy_worker.container_init"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="containers are Linux's")
# ends on SIGTERM with a code of its own, once it says that it is up
GATEWAY = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('up', flush=True); signal.pause()"
STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)
# its child, which it leaves behind, ends when the gate opens
PARENT = "os.fork() and os._exit(0); print('orphan', flush=True); open(sys.argv[1]).read()"


@dataclass
class Running:
    """An init and what a client of it needs."""

    process: subprocess.Popen[bytes]
    folder: Path
    locks: list[int] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / "init.sock"

    @property
    def record(self) -> Path:
        return self.folder / "gateway.json"

    def launch(self, script: str = GATEWAY, *, program: str = sys.executable) -> ProcessIdentity:
        gate = self.folder / "gate"
        if not gate.exists():
            os.mkfifo(gate)
        return launch_gateway(
            [program, "-ISc", f"import os, signal, sys\n{script}", gate],
            environment={"PATH": os.environ["PATH"]},
            cwd=self.folder,
            log=GatewayLog(self.folder / "gateway.log"),
            record=self.record,
            lock_descriptors=self.locks,
            init=self.socket,
        )

    def said(self, text: str) -> None:
        wait_until(self._log, lambda log: text in log)

    def _log(self) -> str:
        file = self.folder / "gateway.log"
        return file.read_text() if file.exists() else ""

    def ended(self) -> ProcessExit:
        def look() -> ProcessExit | None:
            return read_exit(json.loads(self.record.read_text()))

        found = wait_until(look, lambda end: end is not None)
        assert found is not None
        return found

    def stop(self) -> float:
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        return time.monotonic() - began


def start(folder: Path, *, stop_seconds: float = 2, first: tuple[str, ...] = ()) -> Running:
    running = Running(
        subprocess.Popen([*INIT, folder / "init.sock", str(stop_seconds), *first]), folder=folder
    )
    wait_until(lambda: listening(running.socket), bool)
    return running


def listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect(str(path))
        return True
    return False


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("init")  # a socket's path may have 107 characters only


@pytest.fixture
def started() -> Iterator[list[Running]]:
    """Every init of a test, ended with all that it has started."""
    found: list[Running] = []
    yield found
    for running in found:
        if running.process.poll() is None:
            family = psutil.Process(running.process.pid).children(recursive=True)
            running.process.kill()
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            running.process.wait()


@pytest.fixture
def init(folder: Path, started: list[Running]) -> Running:
    started.append(start(folder))
    return started[0]


def test_the_gateway_runs_below_the_init_and_not_below_whoever_asked(init: Running) -> None:
    gateway = init.launch()

    parents = [parent.pid for parent in psutil.Process(gateway.pid).parents()]
    assert init.process.pid in parents
    assert parents.index(init.process.pid) < parents.index(os.getpid())  # it is ours only through the init


def test_the_socket_is_for_its_own_user_only(init: Running) -> None:
    assert stat.S_IMODE(init.socket.stat().st_mode) == 0o600


def test_how_the_gateway_ended_is_recorded(init: Running) -> None:
    gateway = init.launch()
    init.said("up")
    os.kill(gateway.pid, signal.SIGTERM)

    assert init.ended() == ProcessExit(code=3)


def test_a_gateway_that_was_killed_is_buried_and_another_starts(init: Running) -> None:
    killed = init.launch()
    os.kill(killed.pid, signal.SIGKILL)

    assert init.ended() == ProcessExit(signal="SIGKILL")
    wait_until(lambda: children_of(init), lambda children: not children)
    assert is_alive(init.launch())


def children_of(running: Running) -> list[psutil.Process]:
    return psutil.Process(running.process.pid).children()


def test_an_orphan_is_buried(init: Running) -> None:
    init.launch(PARENT)
    init.said("orphan")
    with (init.folder / "gate").open("w") as gate:
        gate.write("\n")

    wait_until(lambda: children_of(init), lambda children: not children)


def test_the_locks_are_let_go_once_the_gateway_is_on_record(init: Running) -> None:
    reading, writing = os.pipe()
    init.locks.append(writing)
    init.launch()
    os.close(writing)

    assert os.read(reading, 1) == b""  # nobody holds the other end
    os.close(reading)


def test_a_program_that_cannot_be_executed_is_told(init: Running) -> None:
    with pytest.raises(GatewayStartError, match="nothing-there"):
        init.launch(program="/nothing-there")

    assert is_alive(init.launch())


def test_a_container_that_is_gone_is_told(folder: Path) -> None:
    nobody = Running(subprocess.Popen(["true"]), folder)
    nobody.process.wait()

    with pytest.raises(GatewayStartError, match=r"in its container .*init\.sock"):
        nobody.launch()


@pytest.mark.parametrize(
    "request_line",
    [b"\n", b"no json\n", b"[]\n", b'{"command": ["true"]}\n', b'{"command": []}', b""],
)
def test_nonsense_is_refused_and_the_next_request_is_served(init: Running, request_line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(init.socket))
        client.sendall(request_line)
        client.shutdown(socket.SHUT_WR)
        assert b"error" in client.makefile("rb").readline()

    assert is_alive(init.launch())


def test_a_second_init_leaves_the_first_alone(init: Running) -> None:
    second = subprocess.run([*INIT, init.socket, "2"], capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert "another container" in second.stderr
    assert listening(init.socket)


def test_an_init_that_was_killed_has_a_successor(init: Running, started: list[Running]) -> None:
    init.process.kill()
    init.process.wait()
    started.append(start(init.folder))

    assert is_alive(started[-1].launch())


def test_ping_tells_whether_it_listens(init: Running) -> None:
    assert subprocess.run([*INIT, "ping", init.socket], check=False).returncode == 0
    assert subprocess.run([*INIT, "ping", init.folder / "no.sock"], check=False).returncode == 1


def test_sigterm_ends_everything_and_the_record_says_how(init: Running) -> None:
    gateway = init.launch()
    init.said("up")
    init.stop()

    assert init.process.returncode == 0
    assert not is_alive(gateway)
    assert init.ended() == ProcessExit(code=3)


def test_what_ignores_sigterm_is_killed_in_time(folder: Path, started: list[Running]) -> None:
    started.append(start(folder, stop_seconds=0.5))
    gateway = started[0].launch(STUBBORN)
    started[0].said("up")

    assert 0.5 <= started[0].stop() < 8
    assert not is_alive(gateway)


def test_the_first_program_is_started_once(folder: Path, started: list[Running]) -> None:
    note = folder / "note"
    started.append(start(folder, first=("/bin/sh", "-c", f"echo once >>{note}")))

    def noted() -> str:
        return note.read_text() if note.exists() else ""

    assert wait_until(noted, bool) == "once\n"
    wait_until(lambda: children_of(started[0]), lambda children: not children)


def test_a_first_program_that_is_missing_is_no_end(folder: Path, started: list[Running]) -> None:
    started.append(start(folder, first=("/nothing-there",)))

    assert is_alive(started[0].launch())


def namespace() -> list[str]:
    """Return the command that gives a program a pid namespace of its own, where we may have one."""
    command = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    for each in (command, [*command[:1], "--user", "--map-root-user", *command[1:]]):
        with suppress(OSError):
            if subprocess.run([*each, "true"], capture_output=True, check=False).returncode == 0:
                return each
    return []


# starts a gateway through the socket, kills it, starts another, and tells what it saw
CLIENT = """
import json, os, signal, sys, time
from pathlib import Path
from buddy_common.adapters.gateway_launcher import launch_gateway
from buddy_common.adapters.gateway_log import GatewayLog
from buddy_common.adapters.processes import is_alive
folder = Path(sys.argv[1])
def launch():
    return launch_gateway(["/bin/sleep", "600"], environment={}, cwd=folder,
        log=GatewayLog(folder / "log"), record=folder / "gateway.json", init=folder / "init.sock")
while not (folder / "init.sock").exists():
    time.sleep(0.02)
first = launch()
os.kill(first.pid, signal.SIGKILL)
while "signal" not in json.loads((folder / "gateway.json").read_text()):
    time.sleep(0.02)
second = launch()
zombies = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != str(os.getpid())
    and open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"]
print(json.dumps([is_alive(first), is_alive(second), zombies, os.getppid()]), flush=True)
time.sleep(600)
"""


@LINUX
@pytest.mark.timeout(60)
def test_as_pid_1_it_buries_restarts_and_ends_within_ten_seconds(folder: Path) -> None:
    unshare = namespace()
    if not unshare:
        pytest.skip("no pid namespaces here")
    with subprocess.Popen(
        [*unshare, *INIT, folder / "init.sock", "2", sys.executable, "-c", CLIENT, folder],
        stdout=subprocess.PIPE,
    ) as outer:
        try:
            assert outer.stdout is not None
            first_lives, second_lives, zombies, parent = json.loads(outer.stdout.readline())
            (init,) = psutil.Process(outer.pid).children()
            family = init.children(recursive=True)
            began = time.monotonic()
            init.terminate()
            code = outer.wait(timeout=10)
        finally:
            outer.kill()

    assert (first_lives, second_lives, zombies, parent) == (False, True, [], 1)
    assert len(family) >= 3  # the client, the keeper, the gateway
    assert code == 0
    assert time.monotonic() - began < 10
    assert not any(process.is_running() for process in family)
