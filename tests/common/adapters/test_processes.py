"""Processes of this host: who is who, who listens, who may be signalled."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from buddy_common.adapters.processes import (
    boot_id,
    child_environment,
    find_listener,
    from_record,
    identify,
    is_alive,
    measure,
    port_is_free,
    send_signal,
    to_record,
)
from buddy_common.schemas.processes import ProcessIdentity
from fakes.ports import free_port

INDEX = "/opt/oc/node_modules/openclaw/dist/index.js"
SERVICE = ["/opt/node/bin/node", "--max-old-space-size=8192"]
# its first thread ends, another one keeps what it listens on
HALF_ENDED = """
import ctypes, socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=threading.Event().wait).start()
print(server.getsockname()[1], flush=True)
input()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A living child of ours."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    identity = identify(process.pid)
    assert identity is not None
    return identity


def end_unreaped(process: subprocess.Popen[bytes]) -> None:
    """End the process and leave it a zombie."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_identity_is_pid_start_time_and_name() -> None:
    identity = identify(os.getpid())

    assert identity is not None
    assert identity.pid == os.getpid()
    assert identity.started == pytest.approx(psutil.Process().create_time() - psutil.boot_time(), abs=2)
    assert identity.name
    assert not identity.is_gateway
    assert identify(os.getpid()) == identity


def test_recorded_process_is_found_again() -> None:
    identity = identify(os.getpid())
    assert identity is not None

    record = json.loads(json.dumps(to_record(identity)))

    found = from_record(record)
    assert found == identity
    assert str(found) == str(identity)


def test_record_of_a_keeper_names_no_program() -> None:
    record = {"pid": 7, "started": 1.25, "boot": boot_id()}

    found = from_record(record)

    assert found == ProcessIdentity(7, 1.25, "")
    assert str(found) == "process (pid 7)"


@pytest.mark.parametrize(
    "changed", [{"boot": "another"}, {"boot": None}, {"started": None}, {"pid": "7"}, {"pid": None}]
)
def test_record_that_names_no_process_of_this_boot_is_none(changed: dict[str, object]) -> None:
    record = {"pid": 7, "started": 1.25, "boot": boot_id(), "name": "sleep"}
    assert from_record(record) is not None

    assert from_record(record | changed) is None


def test_zombie_is_no_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    end_unreaped(sleeper)
    assert psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE

    assert identify(sleeper.pid) is None
    assert not is_alive(identity)
    assert not send_signal(identity, signal.SIGTERM)


def test_process_lives_until_its_last_thread_has_ended() -> None:
    """A killed gateway is half gone for a while, and its port is still taken."""
    with subprocess.Popen([sys.executable, "-c", HALF_ENDED], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        whole = identity_of(process)
        process.stdin.write(b"\n")
        process.stdin.flush()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            os.sched_yield()  # a bounded moment: the thread is about to end

        assert is_alive(whole)
        assert not port_is_free("127.0.0.1", port)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(whole)
        assert port_is_free("127.0.0.1", port)


def test_process_that_is_gone_is_none(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    sleeper.kill()
    sleeper.wait(timeout=5)

    assert identify(sleeper.pid) is None
    assert not send_signal(identity, signal.SIGTERM)


def test_signal_reaches_the_process(sleeper: subprocess.Popen[bytes]) -> None:
    assert send_signal(identity_of(sleeper), signal.SIGTERM)

    assert sleeper.wait(timeout=5) == -signal.SIGTERM


def test_process_that_got_a_used_pid_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    earlier = replace(identity, started=identity.started - 1)

    assert not is_alive(earlier)
    assert not send_signal(earlier, signal.SIGKILL)

    assert is_alive(identity)
    assert sleeper.poll() is None


def test_step_of_the_system_clock_makes_no_other_process_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel's boot time moves with the clock, and a start time that is derived from it as well."""
    identity = identify(os.getpid())
    assert identity is not None
    stat = Path("/proc/stat").read_text()
    btime = int(stat.split("btime ")[1].split()[0])
    (tmp_path / "stat").write_text(stat.replace(f"btime {btime}", f"btime {btime + 7}"))
    (tmp_path / str(os.getpid())).symlink_to(f"/proc/{os.getpid()}")

    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))

    assert psutil.boot_time() == btime + 7
    assert is_alive(identity)


@pytest.mark.parametrize(
    ("command", "is_gateway"),
    [
        (["openclaw-gateway"], True),  # how it calls itself once it is up
        (["openclaw"], True),
        (["node", "/usr/bin/openclaw", "gateway", "run"], True),
        (["node", "/opt/node_modules/openclaw/openclaw.mjs", "gateway", "run"], True),
        # as the service that OpenClaw 2026.9.6 installs, and as hand-written ones
        ([*SERVICE, INDEX, "gateway", "--port", "18789"], True),
        (["/opt/node/bin/node", "--import", "/opt/trace.mjs", INDEX, "gateway"], True),
        (["node", "openclaw.mjs", "gateway"], True),  # in its own folder
        (["/usr/local/bin/openclaw", "gateway"], True),
        ([*SERVICE, INDEX, "node", "run"], False),  # OpenClaw, but its other service
        (["node", INDEX], False),
        (["node", "/home/x/openclaw/build.js"], False),
        (["/opt/openclaw/bin/node", "/srv/other/server.js", "gateway"], False),
        (["vim", INDEX], False),
        (["/usr/bin/nano", "/opt/node_modules/openclaw/dist/gateway.js"], False),
        (["node", "/usr/bin/npm", "install", "openclaw", "gateway"], False),
        (["npm install openclaw gateway"], False),  # npm renames itself
        (["grep", "-r", "openclaw", "gateway"], False),
        (["sh", "-c", "exec /usr/bin/openclaw gateway"], False),  # its wrapper
        (["node", "/usr/bin/openclaw", "doctor"], False),
        (["vim", "/home/x/openclaw.json"], False),
        (["tail", "gateway"], False),
        (["node", "/srv/other/server.js", "gateway"], False),
    ],
)
def test_gateway_is_told_by_its_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str], *, is_gateway: bool
) -> None:
    ourselves = tmp_path / str(os.getpid())
    ourselves.mkdir()
    for name in ("stat", "status"):
        (ourselves / name).write_bytes(Path("/proc/self", name).read_bytes())
    (ourselves / "cmdline").write_text("".join(f"{word}\0" for word in command))
    (tmp_path / "stat").symlink_to("/proc/stat")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))

    found = identify(os.getpid())

    assert found is not None
    assert found.is_gateway is is_gateway


def test_listener_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = find_listener(server.getsockname()[1])

    assert listener == identify(os.getpid())


def test_listener_on_ipv6_is_found() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        listener = find_listener(server.getsockname()[1])

    assert listener == identify(os.getpid())


def test_nobody_listens_on_a_free_port() -> None:
    assert find_listener(free_port()) is None


def test_connections_are_not_listeners() -> None:
    """Neither a client of the port, nor the server's end of a connection that outlived its listener."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = server.accept()
        server.close()
        with accepted:
            assert client.getpeername()[1] == accepted.getsockname()[1] == port
            assert find_listener(port) is None


def test_bound_port_without_a_listener_is_nobodys() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert find_listener(bound.getsockname()[1]) is None


def test_child_sees_what_it_needs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "hunter2")
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://:hunter2@h")
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("LANG", "C.UTF-8")

    done = subprocess.run(["env"], env=child_environment(), capture_output=True, text=True, check=True)

    assert "PATH=/usr/bin:/bin\n" in done.stdout
    assert "LANG=C.UTF-8\n" in done.stdout
    assert "hunter2" not in done.stdout
    assert "BUDDY_" not in done.stdout


def test_child_gets_what_is_given_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("MODEL_API_KEY", "key")

    environment = child_environment(also=frozenset({"MODEL_API_KEY", "UNSET"}), PATH="/node:/bin", EXTRA="1")

    assert environment["PATH"] == "/node:/bin"
    assert (environment["MODEL_API_KEY"], environment["EXTRA"]) == ("key", "1")
    assert "UNSET" not in environment


def test_measure_of_a_process(sleeper: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(sleeper.pid)

    usage = measure(process, first=True)

    assert usage is not None
    assert usage.rss_bytes > 0
    assert not usage.stopped
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    usage = measure(process, first=False)
    assert usage is not None
    assert usage.stopped
    sleeper.kill()
    sleeper.wait(timeout=5)
    assert measure(process, first=False) is None


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_port_is_free_until_somebody_listens(host: str, family: socket.AddressFamily) -> None:
    port = free_port()
    assert port_is_free(host, port)

    with socket.create_server((host, port), family=family):
        assert not port_is_free(host, port)

    assert port_is_free(host, port)
