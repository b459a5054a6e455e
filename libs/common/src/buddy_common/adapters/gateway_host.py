"""The gateway of this host, operated by its process."""

import asyncio
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import psutil

from buddy_common.adapters import processes
from buddy_common.adapters.config_file import configured_port, read_config
from buddy_common.adapters.gateway_log import GatewayLog
from buddy_common.adapters.host_state import recall_port, remember_port
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import GatewayConfigError, GatewayStartError
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.settings import GatewaySettings

PROBE_SECONDS = 5.0  # one second gave false alarms at load 10

# Why each: the pid stays ours on a restart; an operator needs no LAN announcements; a probe of the
# login shell is for desktop apps (OpenClaw's docs/gateway/embedding.md).
_GATEWAY_ENVIRONMENT = {
    "OPENCLAW_NO_RESPAWN": "1",
    "OPENCLAW_DISABLE_BONJOUR": "1",
    "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
    "NO_COLOR": "1",
}


class HostGateway:
    """Operates the gateway by its process; the pid survives us, since it has a session of its own."""

    def __init__(
        self, settings: GatewaySettings, openclaw: HostOpenClaw, *, log_file: Path, port_file: Path
    ) -> None:
        self._settings = settings
        self._openclaw = openclaw
        self._log = GatewayLog(log_file)
        self._port_file = port_file
        # one client: each new one reads certificates from disk; no kept connections, for a gateway
        # that was restarted would have closed them
        self._client = httpx.AsyncClient(
            timeout=PROBE_SECONDS, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._children: dict[ProcessIdentity, subprocess.Popen[bytes]] = {}
        self._measured: dict[ProcessIdentity, psutil.Process] = {}

    async def port(self) -> int:
        """Return the configured port: our setting, else `gateway.port`, else OpenClaw's default."""
        if self._settings.port is not None:
            return self._settings.port
        return await asyncio.to_thread(self._read_port)

    def _read_port(self) -> int:
        try:
            port = configured_port(read_config(self._settings.config_file))
        except GatewayConfigError:  # a running gateway lives on with its last good config, and its port
            return recall_port(self._port_file) or configured_port(None)
        remember_port(self._port_file, port)
        return port

    async def listener(self) -> ProcessIdentity | None:
        """Return the process that listens on the port, whatever it is."""
        return await asyncio.to_thread(processes.find_listener, await self.port())

    async def probe(self) -> Probe:
        """Ask `/readyz`, which answers on every version as soon as the HTTP server is up."""
        started = time.monotonic()
        try:
            answer = await self._client.get(
                f"http://127.0.0.1:{await self.port()}/readyz", headers={"Accept": "application/json"}
            )
            report = answer.json()
        except (httpx.HTTPError, ValueError):
            return Probe(live=False, ready=False)
        latency_ms = (time.monotonic() - started) * 1000
        return _read_probe(report, status=answer.status_code, latency_ms=latency_ms)

    async def spawn(self) -> ProcessIdentity:
        """Start `openclaw gateway run` in a session of its own, its output going to the log file.

        Raises:
            OpenClawNotFoundError: there is no usable program.
            GatewayStartError: it could not be executed.
        """
        return await asyncio.to_thread(self._spawn)

    def _spawn(self) -> ProcessIdentity:
        program = self._openclaw.program()
        extra = {
            "PATH": program.search_path,
            "OPENCLAW_STATE_DIR": str(self._settings.config_dir),
            "OPENCLAW_CONFIG_PATH": str(self._settings.config_file),
            **_GATEWAY_ENVIRONMENT,
        }
        if self._settings.port is not None:
            extra["OPENCLAW_GATEWAY_PORT"] = str(self._settings.port)
        environment = processes.child_environment(also=self._settings.passed_on, **extra)
        try:
            with self._log.open_for_append() as log:
                child = self._execute(program.path, environment, log)
        except OSError as exc:
            raise GatewayStartError(f"{program.path} could not be started: {exc}") from exc
        # reaps it whenever it ends: a zombie would look like a process that refuses to die
        threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
        identity = processes.identify(child.pid)
        if identity is None:  # it has ended already; the next look says how
            identity = ProcessIdentity(child.pid, time.time(), "openclaw")
        self._children[identity] = child
        return identity

    def _execute(self, program: Path, environment: dict[str, str], log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - an argument list; the path comes from settings
            [program, "gateway", "run"],
            env=environment,
            cwd=self._settings.config_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,  # the usual one: the agents' workspaces are their owner's business, not ours
        )

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        """Return how the process ended, or None while it runs."""
        child = self._children.get(process)
        if child is None:
            alive = await asyncio.to_thread(processes.is_alive, process)
            return None if alive else ProcessExit()
        code = child.poll()
        if code is None:
            return None
        if code < 0:
            return ProcessExit(signal=signal.Signals(-code).name)
        return ProcessExit(code=code)

    async def terminate(self, process: ProcessIdentity) -> None:
        """Send SIGTERM, if it is still the same process."""
        await asyncio.to_thread(processes.send_signal, process, signal.SIGTERM)

    async def kill(self, process: ProcessIdentity) -> None:
        """Send SIGKILL, if it is still the same process."""
        await asyncio.to_thread(processes.send_signal, process, signal.SIGKILL)

    async def usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        """Return what the process uses, or None when it is gone."""
        return await asyncio.to_thread(self._usage, process)

    def _usage(self, process: ProcessIdentity) -> ProcessUsage | None:
        if not processes.is_alive(process):
            self._measured.pop(process, None)
            return None
        first = process not in self._measured
        if first:
            self._measured = {process: psutil.Process(process.pid)}
        return processes.measure(self._measured[process], first=first)

    async def log_position(self) -> int:
        """Return where the gateway's log ends now, in bytes."""
        return await asyncio.to_thread(self._log.end)

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
        return await asyncio.to_thread(self._log.lines, position)

    async def close(self) -> None:
        """Let go of the connections; the gateway is left as it is."""
        await self._client.aclose()


def _read_probe(report: Any, *, status: int, latency_ms: float) -> Probe:
    if not isinstance(report, dict):
        return Probe(live=False, ready=False)
    failing = report.get("failing")
    failing = [str(name) for name in failing] if isinstance(failing, list) else []
    loop = report.get("eventLoop")
    delay = loop.get("delayP99Ms") if isinstance(loop, dict) else None
    return Probe(
        live=True,
        ready=status == httpx.codes.OK and report.get("ready") is True,
        draining="gateway-draining" in failing,
        failing=failing,
        event_loop_delay_p99_ms=delay if isinstance(delay, int | float) else None,
        latency_ms=round(latency_ms, 1),
    )
