"""`buddy up` that cannot start: one line, an exit code, nothing left running."""

import os
import socket

import pytest

from e2e.machine import Buddy, Machine
from fakes.ports import free_port

pytestmark = pytest.mark.timeout(120)


def refusal(machine: Machine, *arguments: str, code: int, **environment: str) -> str:
    """Run `buddy up`, which must fail at once with this code, and return its one line."""
    done = machine.run("up", *arguments, **environment)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stderr.startswith("buddy: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout
    assert machine.services() == []
    assert machine.gateways() == []
    return done.stderr


def test_a_second_one_with_the_same_home_is_refused(buddy: Buddy) -> None:
    before = buddy.children

    done = buddy.machine.run("up", WEB_PORT=str(free_port()))

    assert done.returncode == 8
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "already running" in done.stderr
    assert buddy.children == before
    assert buddy.is_ready()


@pytest.mark.parametrize("name", ["WEB_PORT", "BUDDY_WATCHDOG_PORT", "BUDDY_FLOWER_PORT"])
def test_a_port_that_is_taken_names_who_has_it(machine: Machine, name: str) -> None:
    with socket.create_server(("127.0.0.1", int(machine.environment[name]))):
        line = refusal(machine, code=3)

    assert machine.environment[name] in line
    assert f"(pid {os.getpid()})" in line


def test_after_a_refusal_the_next_start_works_without_what_was_in_the_way(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.flower_port)):
        refusal(machine, code=3)

        assert machine.up("--no-flower", "--no-start-gateway").is_ready()


@pytest.mark.parametrize(
    ("name", "other"),
    [("BUDDY_WATCHDOG_PORT", "WEB_PORT"), ("BUDDY_FLOWER_PORT", "WEB_PORT")],
)
def test_two_services_cannot_have_one_port(machine: Machine, name: str, other: str) -> None:
    """Each port is free by itself; together they would never start."""
    line = refusal(machine, code=3, **{name: machine.environment[other]})

    assert machine.environment[other] in line


def test_an_unreachable_redis_is_named(machine: Machine) -> None:
    port = free_port()

    line = refusal(machine, "--redis-url", f"redis://:hunter2@127.0.0.1:{port}/0", code=6)

    assert f"127.0.0.1:{port}" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("given", "missing"),
    [([], "--redis-url and --database-url"), (["--redis-url", "redis://127.0.0.1:1/0"], "--database-url")],
)
def test_a_host_plane_without_the_roads_to_its_control_plane_names_them(
    machine: Machine, given: list[str], missing: str
) -> None:
    line = refusal(machine, "--plane", "host", *given, code=12)

    assert line.rstrip().endswith(f"pass {missing}.")
    assert not machine.home.exists()


def test_a_home_below_a_file_is_named(machine: Machine) -> None:
    (machine.folder / "file").touch()
    home = str(machine.folder / "file" / "home")

    assert home in refusal(machine, code=5, BUDDY_HOME=home)


def test_an_unusable_database_is_named(machine: Machine) -> None:
    line = refusal(machine, "--database-url", "sqlite:////nowhere/buddy.db", code=7)

    assert "unable to open" in line


def test_an_openclaw_that_does_not_run_is_named(machine: Machine) -> None:
    machine.fake.program.write_text("#!/bin/sh\necho 'Node.js v24.16+ is required' >&2\nexit 1\n")

    assert "Node.js v24.16+ is required" in refusal(machine, code=4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("WEB_PORT", "abc"), ("BUDDY_NODE", "no spaces"), ("BUDDY_LOG_LEVEL", "loud")],
)
def test_a_wrong_setting_is_named(machine: Machine, name: str, value: str) -> None:
    assert name in refusal(machine, code=11, **{name: value})


def test_a_gateway_that_does_not_start_is_told_and_buddy_stays(machine: Machine) -> None:
    reason = "Invalid config openclaw.json:2 [gateway] [/port] is no number"
    machine.fake.configure(exit=78, say=reason)

    buddy = machine.up("--no-flower")
    buddy.wait_for_output("! gateway")

    buddy.until(lambda: "exit code 78" in buddy.output, what="the reason")
    assert reason in buddy.output
    assert buddy.is_ready()
