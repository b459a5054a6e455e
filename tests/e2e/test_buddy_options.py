"""`buddy up` with a Redis and a database of its operator's, and without what is not wanted."""

import sqlite3
from collections.abc import Iterator

import psutil
import pytest
import redis

from e2e.machine import Buddy, Machine
from fakes.broker import PASSWORD, BrokerServer

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def buddy(tmp_path_factory: pytest.TempPathFactory, broker_server: BrokerServer) -> Iterator[Buddy]:
    """One with all options."""
    broker_server.flush()
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        yield machine.up(
            "--no-flower",
            "--no-start-gateway",
            *("--redis-url", broker_server.url),
            *("--database-url", f"sqlite:///{machine.folder / 'other.db'}"),
        )
    finally:
        machine.close()


def test_no_broker_and_no_flower_are_started(buddy: Buddy) -> None:
    assert set(buddy.children) == {"web", "worker-fast", "worker-slow", "watchdog"}
    assert not (buddy.machine.home / "broker").exists()
    assert buddy.machine.state["flower_url"] is None
    assert "Flower" not in buddy.output


def test_the_gateway_is_not_started_unless_asked_for(buddy: Buddy) -> None:
    assert buddy.machine.gateways() == []
    assert buddy.get("/v1/tasks/status").json()["data"] == []


def test_jobs_travel_by_the_redis_that_was_named(buddy: Buddy, broker_server: BrokerServer) -> None:
    task = buddy.finish("/v1/gateway/restart")

    assert task["status"] == "Completed"
    with redis.Redis.from_url(broker_server.url, decode_responses=True) as client:
        assert client.exists(f"buddy:task:{task['taskID']}")


def test_rows_are_in_the_database_that_was_named(buddy: Buddy) -> None:
    task = buddy.finish("/v1/gateway/restart")

    connection = sqlite3.connect(buddy.machine.folder / "other.db")
    rows = connection.execute("SELECT status FROM tasks WHERE id = ?", (task["taskID"],)).fetchall()
    connection.close()
    assert rows == [("Completed",)]
    assert not (buddy.machine.home / "buddy.db").exists()


def test_the_password_of_the_redis_is_nowhere_to_be_seen(buddy: Buddy) -> None:
    logs = "".join(file.read_text() for file in (buddy.machine.home / "logs").iterdir())
    # on the command line of `buddy up` itself its operator wrote it
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in buddy.children.values()]

    assert len(lines) == 4
    assert PASSWORD not in logs + buddy.output + "".join(lines)


def test_port_and_host_of_the_command_line_win(machine: Machine) -> None:
    elsewhere = machine.watchdog_port
    machine.environment["BUDDY_WATCHDOG_PORT"] = str(machine.web_port)
    buddy = machine.start("--no-flower", "--no-start-gateway", "--port", str(elsewhere), "--host", "0.0.0.0")  # noqa: S104 - what is tested
    buddy.url = f"http://127.0.0.1:{elsewhere}"

    buddy.wait_ready()

    web = psutil.Process(buddy.children["web"])
    listening = [c.laddr for c in web.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    assert listening == [("0.0.0.0", elsewhere)]  # noqa: S104 - what is tested
    assert machine.run("status").returncode == 0


def test_a_token_of_ones_own_is_used(machine: Machine) -> None:
    buddy = machine.start("--no-flower", "--no-start-gateway", BUDDY_TOKEN="a-token-of-my-own-0123")
    buddy.until(lambda: " ready " in buddy.output, what="ready")

    assert not (machine.home / "token").exists()
    assert machine.run("status", BUDDY_TOKEN="a-token-of-my-own-0123").returncode == 0
    assert "a-token-of-my-own" not in buddy.output


def test_a_stop_is_remembered_even_if_redis_lost_its_data_and_openclaw_is_slow(
    machine: Machine, own_broker: BrokerServer
) -> None:
    """Then nobody has reported anything yet when the gateway would be started."""
    options = ("--no-flower", "--redis-url", own_broker.url)
    first = machine.up(*options)
    first.wait_for_output("✓ gateway")
    assert first.finish("/v1/gateway/stop")["status"] == "Completed"
    assert first.stop()
    own_broker.flush()
    script = machine.fake.program.read_text()
    machine.fake.program.write_text(script.replace("print(", "time.sleep(6); print(", 1))

    second = machine.up(*options)
    second.wait_for_output(" gateway   ")

    assert machine.gateways() == []
    assert "stopped on purpose" in second.output
