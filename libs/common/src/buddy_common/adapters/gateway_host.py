"""The gateway of this host: its process, its port, its health routes and its log file."""

import asyncio
import re
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
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.secret_file import append_private
from buddy_common.errors import GatewayConfigError, GatewayStartError
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity, ProcessUsage
from buddy_common.settings import GatewaySettings

PROBE_SECONDS = 5.0  # one second gave false alarms at load 10
LOG_ROTATE_BYTES = 10 * 1024 * 1024
_LOG_READ_BYTES = 256 * 1024
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>])")

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

    def __init__(self, settings: GatewaySettings, openclaw: HostOpenClaw, *, log_file: Path) -> None:
        self._settings = settings
        self._openclaw = openclaw
        self._log_file = log_file
        self._children: dict[ProcessIdentity, subprocess.Popen[bytes]] = {}
        self._measured: dict[ProcessIdentity, psutil.Process] = {}

    async def port(self) -> int:
        """Return the configured port: our setting, else `gateway.port`, else OpenClaw's default."""
        if self._settings.port is not None:
            return self._settings.port
        try:
            return configured_port(await asyncio.to_thread(read_config, self._settings.config_file))
        except GatewayConfigError:  # a running gateway lives on with its old config, and so its port
            return configured_port(None)

    async def listener(self) -> ProcessIdentity | None:
        """Return the process that listens on the port, whatever it is."""
        return await asyncio.to_thread(processes.find_listener, await self.port())

    async def probe(self) -> Probe:
        """Ask `/readyz`, which answers on every version as soon as the HTTP server is up."""
        started = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
                answer = await client.get(
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
        also = frozenset(name.strip() for name in self._settings.pass_env.split(",") if name.strip())
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        _rotate(self._log_file)
        try:
            with append_private(self._log_file) as log:  # chat replies may appear in it
                child = self._execute(program.path, processes.child_environment(also=also, **extra), log)
        except OSError as exc:
            raise GatewayStartError(f"{program.path} could not be started: {exc}") from exc
        # reaps it whenever it ends: a zombie would look like a process that refuses to die
        threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
        identity = processes.identify(child.pid)
        if identity is None:
            identity = ProcessIdentity(child.pid, time.time(), "openclaw", is_gateway=True)
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
        if process not in self._measured:
            self._measured = {process: psutil.Process(process.pid)}
        return processes.measure(self._measured[process])

    async def log_position(self) -> int:
        """Return where the gateway's log ends now, in bytes."""
        return await asyncio.to_thread(self._log_position)

    def _log_position(self) -> int:
        try:
            return self._log_file.stat().st_size
        except FileNotFoundError:
            return 0

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        """Return the complete lines since `position`, without colours, and the new position."""
        return await asyncio.to_thread(self._log_lines, position)

    def _log_lines(self, position: int) -> tuple[list[str], int]:
        try:
            with self._log_file.open("rb") as log:
                if log.seek(0, 2) < position:  # rotated meanwhile
                    position = 0
                log.seek(position)
                data = log.read(_LOG_READ_BYTES)
        except FileNotFoundError:
            return [], 0
        end = data.rfind(b"\n") + 1
        if end == 0:
            return [], position
        text = _ANSI.sub("", data[:end].decode(errors="replace"))
        return [line.rstrip() for line in text.splitlines() if line.strip()], position + end


def _read_probe(report: Any, *, status: int, latency_ms: float) -> Probe:
    if not isinstance(report, dict):
        return Probe(live=False, ready=False)
    failing = [str(name) for name in report.get("failing") or []]
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


def _rotate(log_file: Path) -> None:
    """Keep one older file: the gateway holds its log open, so it can only change hands at a start."""
    if log_file.exists() and log_file.stat().st_size > LOG_ROTATE_BYTES:
        log_file.replace(log_file.with_suffix(".1.log"))
