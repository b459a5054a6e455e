"""A host plane's view of the fake OpenClaw."""

from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.settings import GatewaySettings, OpenClawSettings
from buddy_common.usecases.follow_startup import Patience
from buddy_common.usecases.restart_gateway import GatewayRestarted, restart_gateway
from buddy_common.usecases.start_gateway import GatewayStarted, start_gateway
from buddy_common.usecases.stop_gateway import GatewayStopped, stop_gateway
from fakes.openclaw_program import FakeOpenClaw
from fakes.progress import RecordingProgress


@dataclass
class Host:
    """A host plane's view of the fake."""

    gateway: HostGateway
    state: FileHostState
    progress: RecordingProgress

    async def start(self, *, ceiling_seconds: float = 20, stall_seconds: float = 20) -> GatewayStarted:
        return await start_gateway(
            self.gateway,
            self.state,
            progress=self.progress,
            patience=Patience(ceiling_seconds, stall_seconds),
        )

    async def stop(self, *, drain_seconds: float = 20, force: bool = False) -> GatewayStopped:
        return await stop_gateway(
            self.gateway, self.state, progress=self.progress, drain_seconds=drain_seconds, force=force
        )

    async def restart(self, *, asked_seconds_ago: float | None = None) -> GatewayRestarted:
        return await restart_gateway(
            self.gateway,
            self.state,
            progress=self.progress,
            patience=Patience(8, 8),
            drain_seconds=8,
            force=False,
            asked_seconds_ago=asked_seconds_ago,
        )


def build_host(fake: FakeOpenClaw, tmp_path: Path, program: Path | None = None) -> Host:
    openclaw = HostOpenClaw(OpenClawSettings(program=program or fake.program), tmp_path / "runtime")
    settings = GatewaySettings(config_dir=fake.config_dir)
    state = FileHostState(tmp_path / "node")
    gateway = HostGateway(
        settings,
        openclaw,
        state=state,
        log_file=tmp_path / "logs" / "gateway.log",
        port_file=tmp_path / "port.json",
    )
    return Host(gateway, state, RecordingProgress())
