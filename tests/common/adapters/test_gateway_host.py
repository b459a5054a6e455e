"""What is known of the gateway beside its life cycle: its port, its health routes, its log."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import gateway_log, process_family
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.processes import identify
from buddy_common.errors import GatewayOfAnotherAccountError, GatewayStartError
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings, OpenClawSettings
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from fakes.ports import free_port


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "gateway-local.log"


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(config_dir=tmp_path)


def build(settings: GatewaySettings, tmp_path: Path, program: Path | None = None) -> HostGateway:
    return HostGateway(
        settings,
        HostOpenClaw(OpenClawSettings(program=program), tmp_path),
        state=FileHostState(tmp_path / "node"),
        log_file=tmp_path / "gateway-local.log",
        port_file=tmp_path / "port.json",
    )


@pytest.fixture
def gateway(settings: GatewaySettings, tmp_path: Path) -> HostGateway:
    return build(settings, tmp_path)


def write_port(settings: GatewaySettings, port: object) -> None:
    settings.config_file.write_text(json.dumps({"gateway": {"port": port}}))


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def all_lines(gateway: HostGateway) -> list[str]:
    """Read the log to its end, as a follower of it does."""
    lines: list[str] = []
    position = 0
    for _ in range(20):
        more, position = await gateway.log_lines(position)
        lines += more
    return lines


async def test_port_follows_the_config_file(gateway: HostGateway, settings: GatewaySettings) -> None:
    assert await gateway.port() == 18789
    write_port(settings, 4000)
    assert await gateway.port() == 4000
    write_port(settings, 4001)
    assert await gateway.port() == 4001


async def test_port_of_the_settings_wins(settings: GatewaySettings, tmp_path: Path) -> None:
    write_port(settings, 4000)
    ours = GatewaySettings(config_dir=settings.config_dir, port=4002)

    assert await build(ours, tmp_path).port() == 4002


async def test_port_may_stand_in_an_included_file(gateway: HostGateway, settings: GatewaySettings) -> None:
    write(settings.config_file, '{gateway: {$include: "part.json"}}')
    write(settings.config_dir / "part.json", "{port: 4004}")

    assert await gateway.port() == 4004


async def test_broken_config_does_not_hide_the_gateway(
    gateway: HostGateway, settings: GatewaySettings
) -> None:
    """The running gateway lives on with the config that it last could read, and so with its port."""
    write_port(settings, 4003)
    assert await gateway.port() == 4003
    await asyncio.to_thread(settings.config_file.write_text, "{ broken")

    assert await gateway.port() == 4003


async def test_broken_config_that_never_was_whole_means_the_default_port(
    gateway: HostGateway, settings: GatewaySettings
) -> None:
    await asyncio.to_thread(settings.config_file.write_text, "{ broken")

    assert await gateway.port() == 18789


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999, 10**30])
async def test_impossible_port_is_no_failure_of_ours(
    gateway: HostGateway, settings: GatewaySettings, port: int
) -> None:
    """OpenClaw refuses such a config and says why; nobody hears it if we stumble first."""
    write_port(settings, port)

    assert await gateway.port() == 18789
    assert isinstance(await gateway.probe(), Probe)


async def test_gateway_that_does_not_answer_is_not_live(
    gateway: HostGateway, settings: GatewaySettings
) -> None:
    write_port(settings, free_port())

    assert await gateway.probe() == Probe(live=False, ready=False)


async def test_program_that_cannot_be_executed_is_a_failed_start(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    gone = GatewaySettings(config_dir=tmp_path / "gone")

    with pytest.raises(GatewayStartError, match="could not be started"):
        await build(gone, tmp_path, fake_openclaw.program).start({})


async def started_with(fake: FakeOpenClaw, tmp_path: Path, **earlier: str) -> dict[str, Any]:
    """Start the fake program and return the environment and the arguments that it was given."""
    seen = tmp_path / "seen.json"
    config: dict[str, Any] = await asyncio.to_thread(lambda: json.loads(fake.config_file.read_text()))
    config["fake"] = {"environment_file": str(seen)}
    await asyncio.to_thread(write, fake.config_file, json.dumps(config))
    gateway = build(GatewaySettings(config_dir=fake.config_dir), tmp_path, fake.program)
    await gateway.start(earlier)
    await eventually(lambda: asyncio.to_thread(seen.exists), bool)
    found: dict[str, Any] = await eventually(
        lambda: asyncio.to_thread(lambda: json.loads(seen.read_text() or "null")), bool
    )
    return found


async def test_gateway_is_bound_to_loopback_where_nobody_says_otherwise(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    """In a container, the new generation would listen on every address."""
    assert (await started_with(fake_openclaw, tmp_path))["arguments"] == ["--bind", "loopback"]


async def test_bind_that_the_operator_has_chosen_is_left_alone(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    config = {"gateway": {"mode": "local", "port": fake_openclaw.port, "bind": "lan"}}
    await asyncio.to_thread(write, fake_openclaw.config_file, json.dumps(config))

    assert (await started_with(fake_openclaw, tmp_path))["arguments"] == []


async def test_old_generation_gets_no_options(fake_openclaw: FakeOpenClaw, tmp_path: Path) -> None:
    """It listens on loopback anyway, and with options it restarts at every edit of its config."""
    program = await asyncio.to_thread(fake_openclaw.program.read_text)
    await asyncio.to_thread(write, fake_openclaw.program, program.replace("2026.9.6", "2026.3.28"))

    assert (await started_with(fake_openclaw, tmp_path))["arguments"] == []


async def test_gateway_keeps_what_the_one_before_it_was_given_but_ours_wins(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    seen = await started_with(fake_openclaw, tmp_path, MY_API_KEY="k", OPENCLAW_NO_RESPAWN="0")

    environment = seen["environment"]
    assert (environment["MY_API_KEY"], environment["OPENCLAW_NO_RESPAWN"]) == ("k", "1")


async def test_what_says_where_the_old_one_was_is_not_handed_on(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    seen = await started_with(
        fake_openclaw, tmp_path, OPENCLAW_GATEWAY_PORT="19000", INVOCATION_ID="1", BUDDY_KEEPER="7:1.0"
    )

    assert not {"OPENCLAW_GATEWAY_PORT", "INVOCATION_ID", "BUDDY_KEEPER"} & set(seen["environment"])


async def test_process_of_another_account_is_not_ended(
    fake_openclaw: FakeOpenClaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = GatewaySettings(config_dir=fake_openclaw.config_dir)
    gateway = build(settings, tmp_path, fake_openclaw.program)
    process = await gateway.start({})
    monkeypatch.setattr(process_family, "foreign_account_of", lambda _process: "alice")

    with pytest.raises(GatewayOfAnotherAccountError, match="runs as alice"):
        await gateway.kill(process)

    assert await gateway.poll_exit(process) is None


async def test_running_gateway_keeps_its_port_whatever_the_config_says_now(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    """Both generations restart themselves at such an edit, and keep listening where they did."""
    settings = GatewaySettings(config_dir=fake_openclaw.config_dir)
    gateway = build(settings, tmp_path, fake_openclaw.program)
    process = await gateway.start({})
    await eventually(gateway.listener, lambda listener: listener == process)

    await asyncio.to_thread(write_port, settings, 4005)
    assert await gateway.port() == fake_openclaw.port
    assert await gateway.listener() == process

    await gateway.kill(process)
    await eventually(lambda: gateway.poll_exit(process), lambda ended: ended is not None)
    assert await gateway.port() == 4005


async def test_process_that_is_no_child_of_ours_ends_with_an_unknown_code(gateway: HostGateway) -> None:
    us = await asyncio.to_thread(identify, os.getpid())
    assert us is not None

    assert await gateway.poll_exit(us) is None
    assert await gateway.poll_exit(ProcessIdentity(us.pid, us.started - 1, us.name)) == ProcessExit()
    assert await gateway.usage(ProcessIdentity(us.pid, us.started - 1, us.name)) is None


async def test_log_that_does_not_exist_is_empty(gateway: HostGateway) -> None:
    assert await gateway.log_position() == 0
    assert await gateway.log_lines(0) == ([], 0)


async def test_log_is_read_in_whole_lines_without_colours(gateway: HostGateway, log_file: Path) -> None:
    await asyncio.to_thread(log_file.write_bytes, b"\x1b[32mgreen\x1b[0m  \n\n\xff broken\nhalf a li")

    lines, position = await gateway.log_lines(0)

    assert lines == ["green", "\ufffd broken"]
    await asyncio.to_thread(append, log_file, b"ne\n")
    assert await gateway.log_lines(position) == (["half a line"], await gateway.log_position())


async def test_log_that_was_rotated_is_read_from_its_start(gateway: HostGateway, log_file: Path) -> None:
    await asyncio.to_thread(log_file.write_bytes, b"new\n")

    assert await gateway.log_lines(1000) == (["new"], 4)


async def test_long_log_is_read_to_its_end(
    gateway: HostGateway, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_log, "READ_BYTES", 100)
    expected = [f"line {number}" for number in range(100)]
    await asyncio.to_thread(log_file.write_text, "\n".join(expected) + "\n")

    assert await all_lines(gateway) == expected


async def test_line_without_an_end_does_not_hide_the_lines_after_it(
    gateway: HostGateway, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_log, "READ_BYTES", 100)
    await asyncio.to_thread(log_file.write_text, "x" * 250 + "\nlistening\n")

    assert (await all_lines(gateway))[-1] == "listening"


async def test_log_of_the_last_start_is_kept_beside_the_new_one(
    fake_openclaw: FakeOpenClaw, log_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_log, "ROTATE_BYTES", 10)
    await asyncio.to_thread(log_file.write_text, "old and longer than ten bytes\n")
    gateway = build(GatewaySettings(config_dir=fake_openclaw.config_dir), tmp_path, fake_openclaw.program)

    await gateway.kill(await gateway.start({}))

    old = await asyncio.to_thread((tmp_path / "gateway-local.1.log").read_text)
    assert old == "old and longer than ten bytes\n"
    assert await gateway.log_position() < len(old)


def append(file: Path, content: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(content)
