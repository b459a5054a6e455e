"""Start, stop and restart against real processes: the fake `openclaw` stands in for speed."""

import asyncio
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from buddy_common.adapters import gateway_host
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.gateway_launcher import launch_gateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import GatewayStartError, OpenClawNotFoundError, PortTakenError
from buddy_common.schemas.gateway import Desired
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings, OpenClawSettings
from buddy_common.usecases import stop_gateway as stop_module
from common.usecases.host import Host, build_host
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress


async def test_start_claims_success_only_when_the_process_says_it_is_ready(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=1.0)

    started = await host.start()

    assert not started.alreadyRunning
    assert (await host.gateway.probe()).ready
    assert ("listening, waiting for startup-sidecars", 80) in host.progress.stages
    assert any("http server listening" in line for line in host.progress.lines)
    assert host.progress.stages[-1] == ("ready", 100)


async def test_start_of_a_program_that_does_nothing_fails(
    fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    """`true` in the place of the gateway's start must never pass for a gateway."""
    program = tmp_path / "bin" / "openclaw"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "OpenClaw 2026.9.6 (x)"\nexec true\n')
    program.chmod(0o755)
    host = build_host(fake_openclaw, tmp_path, program)

    with pytest.raises(GatewayStartError, match=r"ended before it was ready \(exit code 0\)"):
        await host.start()


async def test_start_twice_keeps_the_first_process(host: Host) -> None:
    first = await host.start()
    second = await host.start()

    assert second.alreadyRunning
    assert second.pid == first.pid


async def test_start_reports_exit_code_and_the_programs_own_reason(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    reason = 'Invalid config openclaw.json:2 — gateway: Unrecognized key: "foo"'
    fake_openclaw.configure(exit=78, say=reason)

    with pytest.raises(GatewayStartError) as failure:
        await host.start()

    assert "exit code 78" in failure.value.message
    assert reason in failure.value.message


async def test_start_reports_the_signal_that_ended_the_process(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=30)
    starting = asyncio.create_task(host.start())
    spawned = await eventually(host.state.spawned, lambda process: process is not None)
    assert spawned is not None
    os.kill(spawned.pid, signal.SIGKILL)

    with pytest.raises(GatewayStartError, match="killed by SIGKILL"):
        await starting


async def test_start_gives_up_at_the_ceiling_and_leaves_the_process(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(ready_after=60)

    with pytest.raises(GatewayStartError, match=r"was not up after 1 s.*startup-sidecars"):
        await host.start(ceiling_seconds=1)

    spawned = await host.state.spawned()
    assert spawned is not None
    assert psutil.pid_exists(spawned.pid)


async def test_start_that_makes_no_progress_fails_before_the_ceiling(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(listen_after=60)  # it sleeps: no CPU time, no line, no phase

    with pytest.raises(
        GatewayStartError, match="has made no progress for 2 s and is left running"
    ) as failure:
        await host.start(stall_seconds=2)

    assert psutil.pid_exists(failure.value.detail["pid"])


async def test_start_that_computes_for_long_is_waited_for(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(computes=4)  # busy, but silent

    assert (await host.start(ceiling_seconds=9, stall_seconds=2)).seconds >= 3


async def test_start_is_done_when_only_a_channel_is_down_and_says_which(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(failing=["telegram"])

    started = await host.start()

    assert (started.ready, started.failing) == (False, ["telegram"])
    assert host.progress.stages[-1] == ("started", 100)


async def test_start_of_the_old_generation_is_done_when_it_answers(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(old_generation=True)

    assert (await host.start()).ready


async def test_failed_start_leaves_code_and_reason_for_machines(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(exit=78, say="Invalid config")

    with pytest.raises(GatewayStartError) as failure:
        await host.start()

    detail = failure.value.detail
    assert (detail["exitCode"], detail["signal"]) == (78, None)
    assert "Invalid config" in detail["reason"]
    assert (await host.state.last_exit()) == ProcessExit(code=78)


async def test_start_that_is_cancelled_while_it_launches_does_so_before_it_lets_go(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next job, a stop say, finds nothing to stop, and the gateway comes up after it."""
    launching, go_on = threading.Event(), threading.Event()
    launch = launch_gateway

    def slow_launch(*arguments: Any, **options: Any) -> ProcessIdentity:
        launching.set()
        go_on.wait(5)
        return launch(*arguments, **options)

    monkeypatch.setattr(gateway_host, "launch_gateway", slow_launch)
    starting = asyncio.create_task(host.start())
    await asyncio.to_thread(launching.wait, 5)
    starting.cancel()
    await asyncio.sleep(0)
    assert not starting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert (await host.stop()).wasRunning


async def test_start_waits_for_a_process_that_drains_and_starts_another(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(drain=2)
    first = await host.start()
    os.kill(first.pid, signal.SIGTERM)
    await eventually(host.gateway.probe, lambda probe: probe.draining)

    second = await host.start()

    assert (second.alreadyRunning, second.pid != first.pid, second.ready) == (False, True, True)


async def test_start_names_the_program_that_has_the_port(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    with (
        socket.create_server(("127.0.0.1", fake_openclaw.port)),
        pytest.raises(PortTakenError) as failure,
    ):
        await host.start()

    assert f"(pid {os.getpid()})" in failure.value.message
    assert await host.state.spawned() is None


async def test_a_client_of_the_port_is_never_taken_for_the_listener(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    await host.start()
    with socket.create_connection(("127.0.0.1", fake_openclaw.port)):
        stopped = await host.stop()

    assert stopped.pid != os.getpid()
    assert await host.gateway.listener() is None


async def test_start_without_a_program_says_what_to_do(
    fake_openclaw: FakeOpenClaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    openclaw = HostOpenClaw(OpenClawSettings(), tmp_path / "runtime")
    state = FileHostState(tmp_path / "node")
    gateway = HostGateway(
        GatewaySettings(config_dir=fake_openclaw.config_dir),
        openclaw,
        state=state,
        log_file=tmp_path / "g.log",
        port_file=tmp_path / "port.json",
    )
    host = Host(gateway, state, RecordingProgress())

    with pytest.raises(OpenClawNotFoundError, match="buddy openclaw install"):
        await host.start()


async def test_the_gateway_sees_no_secret_of_ours(
    host: Host, fake_openclaw: FakeOpenClaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "secret-of-ours")
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://:secret-of-ours@127.0.0.1/0")
    seen_file = tmp_path / "environment.json"
    fake_openclaw.configure(environment_file=str(seen_file))

    await host.start()

    seen = await asyncio.to_thread(seen_file.read_text)
    assert "secret-of-ours" not in seen
    assert '"OPENCLAW_NO_RESPAWN": "1"' in seen


async def test_stop_ends_the_process_and_remembers_that_it_was_wanted(host: Host) -> None:
    started = await host.start()

    stopped = await host.stop()

    assert stopped.pid == started.pid
    assert not stopped.killed
    assert await host.gateway.listener() is None
    assert await host.state.desired() is Desired.STOPPED


async def test_stop_says_how_the_process_ended_even_if_another_worker_started_it(
    host: Host, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    await host.start()
    later = build_host(fake_openclaw, tmp_path)  # the worker was restarted meanwhile

    stopped = await later.stop()

    assert (stopped.exitCode, stopped.signal) == (0, None)


async def test_stop_twice_is_fine(host: Host) -> None:
    await host.start()
    await host.stop()

    again = await host.stop()

    assert not again.wasRunning


async def test_stop_waits_for_running_chats_and_says_so(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(drain=2.5)
    await host.start()

    stopped = await host.stop()

    assert not stopped.killed
    assert stopped.seconds >= 2.5
    assert any(stage.startswith("draining") for stage, _ in host.progress.stages)


async def test_stop_by_force_does_not_wait(
    host: Host, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_module, "FORCED_STOP_SECONDS", 0.3)
    fake_openclaw.configure(drain=60)
    await host.start()

    stopped = await host.stop(force=True)

    assert stopped.killed


async def test_stop_kills_what_ignores_sigterm(
    host: Host, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_module, "IDLE_STOP_SECONDS", 0.5)
    fake_openclaw.configure(ignore_term=True)
    await host.start()

    stopped = await host.stop()

    assert stopped.killed
    assert await host.gateway.listener() is None


async def test_stop_goes_straight_to_sigkill_for_a_frozen_process(host: Host) -> None:
    started = await host.start()
    os.kill(started.pid, signal.SIGSTOP)

    async with asyncio.timeout(5):
        stopped = await host.stop()

    assert stopped.killed


async def test_stop_kills_what_is_frozen_while_it_drains(host: Host, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(drain=60)
    started = await host.start()
    stopping = asyncio.create_task(host.stop())
    await eventually(host.gateway.probe, lambda probe: probe.draining)
    os.kill(started.pid, signal.SIGSTOP)

    async with asyncio.timeout(8):
        stopped = await stopping

    assert (stopped.killed, stopped.signal) == (True, "SIGKILL")


async def test_stop_leaves_a_foreign_program_on_the_port_alone(
    host: Host, fake_openclaw: FakeOpenClaw
) -> None:
    with socket.create_server(("127.0.0.1", fake_openclaw.port)) as server:
        stopped = await host.stop()
        assert server.fileno() >= 0

    assert not stopped.wasRunning
    assert any("is taken by" in line for line in host.progress.lines)


async def test_restart_brings_a_new_process(host: Host) -> None:
    started = await host.start()

    restarted = await host.restart()

    assert restarted.oldPid == started.pid
    assert restarted.pid != started.pid
    assert await host.state.desired() is Desired.RUNNING


async def test_restart_while_stopped_starts(host: Host) -> None:
    restarted = await host.restart()

    assert restarted.oldPid is None
    assert (await host.gateway.probe()).ready


async def test_restart_hands_on_what_the_gateway_was_given(
    host: Host, fake_openclaw: FakeOpenClaw, tmp_path: Path
) -> None:
    """An operator's own `MY_KEY=… openclaw gateway run` must not lose its key."""
    seen = tmp_path / "seen.json"
    await host.gateway.start({"MY_KEY": "k"})
    await host.start()
    fake_openclaw.configure(environment_file=str(seen))

    await host.restart()

    assert '"MY_KEY": "k"' in await asyncio.to_thread(seen.read_text)


async def test_restart_that_is_repeated_keeps_a_process_that_is_new_already(host: Host) -> None:
    started = await host.start()

    restarted = await host.restart(asked_seconds_ago=60)

    assert (restarted.oldPid, restarted.pid) == (None, started.pid)


async def test_restart_that_is_repeated_replaces_a_process_that_is_older(host: Host) -> None:
    started = await host.start()

    restarted = await host.restart(asked_seconds_ago=0.01)

    assert (restarted.oldPid, restarted.pid != started.pid) == (started.pid, True)
