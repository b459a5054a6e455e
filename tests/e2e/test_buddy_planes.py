"""`buddy up --plane`: the control plane on one machine, the host plane beside the gateway on another."""

import json
from collections.abc import Iterator

import pytest

from e2e.machine import Buddy, Machine
from fakes.broker import BrokerServer

pytestmark = pytest.mark.timeout(120)

TOKEN = "the-token-of-both-planes"


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory, broker_server: BrokerServer) -> list[str]:
    """What both planes are told: where jobs and rows are."""
    broker_server.flush()
    rows = tmp_path_factory.mktemp("database") / "rows.db"
    return ["--redis-url", broker_server.url, "--database-url", f"sqlite:///{rows}"]


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory, roads: list[str]) -> Iterator[Buddy]:
    """A control plane that was there before any host."""
    machine = Machine(tmp_path_factory.mktemp("control"), BUDDY_TOKEN=TOKEN)
    try:
        control = machine.start("--plane", "control", *roads)
        control.wait_for_output(" ready ")
        assert machine.run("status").returncode == 0
        yield control
    finally:
        machine.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, roads: list[str], control: Buddy) -> Iterator[Buddy]:
    """A host plane that has started its gateway."""
    del control
    machine = Machine(tmp_path_factory.mktemp("host"))
    try:
        host = machine.start("--plane", "host", *roads)
        host.wait_for_output("✓ gateway")
        yield host
    finally:
        machine.close()


def test_each_plane_starts_its_own_services_only(control: Buddy, host: Buddy) -> None:
    assert set(control.children) == {"web", "flower"}
    assert set(host.children) == {"worker-fast", "worker-slow", "watchdog", "proxy"}


def test_only_the_host_touches_openclaw(control: Buddy, host: Buddy) -> None:
    assert "openclaw" not in control.output
    assert control.machine.gateways() == []
    assert len(host.machine.gateways()) == 1


def test_each_plane_knows_its_own_status(control: Buddy, host: Buddy) -> None:
    for buddy, services in ((control, 2), (host, 4)):
        done = buddy.machine.run("status", "--json")
        report = json.loads(done.stdout)
        assert (done.returncode, report["ready"], len(report["children"])) == (0, True, services)


def test_a_host_plane_makes_neither_broker_nor_database_nor_token(host: Buddy) -> None:
    home = host.machine.home

    assert [name for name in ("broker", "buddy.db", "token") if (home / name).exists()] == []


def test_the_api_of_the_control_plane_operates_the_gateway_of_the_host(control: Buddy, host: Buddy) -> None:
    (before,) = host.machine.gateways()

    task = control.finish("/v1/gateway/restart")

    assert task["status"] == "Completed"
    assert [gateway.pid for gateway in host.machine.gateways()] != [before.pid]


def test_a_stop_of_the_host_plane_leaves_the_gateway(host: Buddy) -> None:
    before = host.machine.gateways()

    assert host.machine.run("down").returncode == 0

    assert host.machine.gateways() == before
    assert host.machine.services() == []
