"""How long a node lock is held: by a job until its last process ends, by a gateway until it is recorded."""

import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path

from common.adapters.keeper.scene import (
    KEEPER,
    WAITER,
    Gateway,
    Kept,
    is_locked,
    keep_gateway,
    keep_job,
    read_to_end,
    script,
)

# as Node.js does: what it inherited is not for those whom it starts
CLOSES_DESCRIPTORS = """
for name in os.listdir("/dev/fd"):
    if int(name) > 2:
        try:
            os.set_inheritable(int(name), False)
        except OSError:
            pass
subprocess.Popen(["/bin/sh", "-c", 'read _ <"$0"', sys.argv[1]], start_new_session=True)
"""


def test_lock_is_held_until_the_last_grandchild_has_ended(
    keepers: list[Kept], tmp_path: Path, gate: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = keep_job(keepers, *script(tmp_path, CLOSES_DESCRIPTORS), gate, locks=(lock.fileno(),))
    kept.go()
    assert os.read(kept.status, 4096) == b'{"code": 0, "signal": null}\n'  # the program itself has ended

    assert is_locked(path)
    gate.write_bytes(b"\n")

    assert kept.news() == [{"done": True}]
    assert not is_locked(path)


def test_lock_is_held_by_the_program_when_its_keeper_is_killed(
    keepers: list[Kept], tmp_path: Path, gate: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = keep_job(keepers, *WAITER, gate, locks=(lock.fileno(),))
    kept.go()
    assert kept.read_line() == "up"

    kept.process.kill()
    kept.process.wait()

    assert is_locked(path)
    gate.write_bytes(b"\n")
    assert read_to_end(kept.output) == b""
    assert not is_locked(path)


def test_lock_is_held_until_the_gateway_is_on_record(record: Path, gate: Path, tmp_path: Path) -> None:
    """Whoever started it may die before: then nobody may start another beside it."""
    path = tmp_path / "node.lock"
    reading, writing = os.pipe()
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keeper = subprocess.Popen(
            [*KEEPER, "gateway", record, str(writing), *WAITER, gate],
            pass_fds=(writing, lock.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        keeper.send_signal(signal.SIGSTOP)
    os.close(writing)
    had_recorded = record.exists()
    assert is_locked(path) or had_recorded

    keeper.send_signal(signal.SIGCONT)
    with os.fdopen(reading) as report:
        told = json.loads(report.readline())

    assert record.exists()
    assert not is_locked(path)
    os.kill(told["pid"], signal.SIGKILL)
    keeper.wait(timeout=5)


def test_gateway_and_its_keeper_hold_no_lock(
    gateways: list[Gateway], record: Path, gate: Path, tmp_path: Path
) -> None:
    path = tmp_path / "node.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keep_gateway(gateways, record, *WAITER, gate, locks=(lock.fileno(),))

    assert not is_locked(path)
