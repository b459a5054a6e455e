"""The parent of a gateway, as a process: what it records, and that the gateway outlives it."""

import json
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters import child_process, processes
from common.adapters.keeper.scene import FAILURES, KEEPER, WAITER, Caller, Gateway, keep_gateway, read_to_end

SMALL_BYTES = 16 * 1024 * 1024


def test_gateway_is_recorded_as_everybody_sees_it(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)

    assert gateway.recorded() == gateway.told
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert identity == processes.identify(gateway.told["pid"])
    assert os.getsid(identity.pid) == identity.pid


def test_gateway_gets_no_descriptor_and_the_usual_umask(gateways: list[Gateway], record: Path) -> None:
    gateway = keep_gateway(gateways, record, "/bin/sh", "-c", "umask; exec ls /proc/self/fd")

    # 3 is the folder that `ls` reads
    assert read_to_end(gateway.output).decode().split() == ["0022", "0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("last_words", "code", "name"), [("exit 5", 5, None), ("kill -SEGV $$", None, "SIGSEGV")]
)
def test_end_of_the_gateway_is_recorded(
    gateways: list[Gateway], record: Path, last_words: str, code: int | None, name: str | None
) -> None:
    gateway = keep_gateway(gateways, record, "/bin/sh", "-c", last_words)

    gateway.keeper.wait()

    recorded = gateway.recorded()
    assert recorded.pop("ended_at") == pytest.approx(time.time(), abs=60)
    assert recorded == gateway.told | {"code": code, "signal": name}
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert list(record.parent.iterdir()) == [record]


def test_no_signal_to_the_keeper_reaches_the_gateway(
    gateways: list[Gateway], record: Path, gate: Path
) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    assert os.read(gateway.output, 100) == b"up\n"

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        os.killpg(gateway.keeper.pid, number)
    gate.write_bytes(b"\n")
    gateway.keeper.wait()

    assert gateway.recorded()["code"] == 0


def test_gateway_outlives_its_keeper(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    assert os.read(gateway.output, 100) == b"up\n"

    gateway.keeper.kill()
    gateway.keeper.wait()

    identity = processes.from_record(gateway.recorded())
    assert identity is not None
    assert processes.is_alive(identity)
    assert "ended_at" not in gateway.recorded()
    gate.write_bytes(b"\n")  # it reads, so it lives
    assert read_to_end(gateway.output) == b""


def test_gateway_and_keeper_outlive_the_caller(caller: Caller, record: Path, gate: Path) -> None:
    output = caller.start(
        f"arguments = [*{KEEPER!r}, 'gateway', {str(record)!r}, '2', *{[*WAITER, str(gate)]!r}]\n"
        "subprocess.Popen(arguments, start_new_session=True)\n"
    )
    assert os.read(output, 100) == b"up\n"

    caller.kill()
    gate.write_bytes(b"\n")

    assert read_to_end(output) == b""  # gateway and keeper have both ended
    os.close(output)
    assert json.loads(record.read_bytes())["code"] == 0


# lets no file grow; the pipes of the test are none
FULL_DISK = ("/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh")


def test_full_disk_does_not_cost_the_gateway_its_life(
    gateways: list[Gateway], record: Path, gate: Path
) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate, within=FULL_DISK)

    assert gateway.told.pop("problem") == f"{record}: File too large"
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert processes.is_alive(identity)
    assert list(record.parent.iterdir()) == []
    gate.write_bytes(b"\n")
    assert gateway.keeper.wait() == 0


def test_folder_that_cannot_be_written_does_not_cost_the_gateway_its_life(
    gateways: list[Gateway], tmp_path: Path, gate: Path
) -> None:
    (tmp_path / "file").touch()

    gateway = keep_gateway(gateways, tmp_path / "file" / "gateway.json", *WAITER, gate)

    assert gateway.told.pop("problem").endswith("File exists")
    identity = processes.from_record(gateway.told)
    assert identity is not None
    assert processes.is_alive(identity)


def test_record_of_the_next_gateway_is_left_alone(gateways: list[Gateway], record: Path, gate: Path) -> None:
    gateway = keep_gateway(gateways, record, *WAITER, gate)
    record.write_text("the next one was quicker")

    gate.write_bytes(b"\n")
    gateway.keeper.wait()

    assert record.read_text() == "the next one was quicker"


@pytest.mark.parametrize(
    ("make", "error", "says"), FAILURES, ids=["missing", "interpreter", "mode", "folder"]
)
def test_gateway_that_cannot_be_executed_is_told_as_such(
    gateways: list[Gateway], record: Path, tmp_path: Path, make: Any, error: str, says: str
) -> None:
    gateway = keep_gateway(gateways, record, make(tmp_path))

    assert gateway.told["error"] == error
    assert says in gateway.told["message"]
    assert gateway.keeper.wait() == 0
    assert not record.exists()


def test_keeper_is_small(gateways: list[Gateway], record: Path, gate: Path) -> None:
    if KEEPER is not child_process.KEEPER:
        pytest.skip("coverage measures itself")
    gateway = keep_gateway(gateways, record, *WAITER, gate)

    assert psutil.Process(gateway.keeper.pid).memory_info().rss < SMALL_BYTES
