"""The real objects of one host plane, for the services that run on it."""

from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from buddy_common.adapters.bot_archive import BotArchive
from buddy_common.adapters.change_journal import ChangeJournal
from buddy_common.adapters.config_files import ConfigFiles
from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.gateway_probe import PROBE_SECONDS
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.host_system import LocalSystem
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.adapters.node_locks import NodeLocks
from buddy_common.adapters.openclaw_cli import OpenClawCli
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.plugin_folders import PluginFolders
from buddy_common.adapters.plugin_note import PluginJournal
from buddy_common.adapters.quarantine import Quarantine
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.reports import Reports
from buddy_common.adapters.self_healing import SelfHealingFile
from buddy_common.settings import GatewaySettings, HomeSettings, OpenClawSettings, WatchdogSettings


@dataclass(frozen=True)
class HostPlane:
    """Everything on this host that a job or a probe acts on."""

    node: str
    home: Path  # where Buddy keeps its own files
    gateway: HostGateway
    state: FileHostState
    system: LocalSystem
    openclaw: HostOpenClaw
    cli: OpenClawCli
    config_files: ConfigFiles
    journal: ChangeJournal
    bot_archive: BotArchive
    plugin_folders: PluginFolders
    plugin_journal: PluginJournal
    read_model: ReadModel
    locks: NodeLocks
    history: ConfigHistory
    live_config: LiveConfig
    self_healing: SelfHealingFile  # what the operator wants of the watchdog
    quarantine: Quarantine
    reports: Reports
    check_folder: Path  # where a config is laid out for OpenClaw to judge it
    gateway_settings: GatewaySettings
    candidate_file: Path  # a config that OpenClaw is to judge before it is written
    device_file: Path  # the key that gateways know this node by
    archive: Path  # what was deleted of OpenClaw, to be put back by hand
    # what was published counts as stale after three looks of the watchdog that did not come
    fresh_seconds: float
    redis: Redis

    async def close(self) -> None:
        """Let go of the connections; nothing on the host is touched."""
        await self.gateway.close()
        await self.redis.aclose()


def build_host_plane(
    redis: Redis,
    *,
    home: HomeSettings,
    gateway: GatewaySettings,
    openclaw: OpenClawSettings,
    watchdog: WatchdogSettings,
) -> HostPlane:
    """Wire the adapters of this host together; nothing is started or connected."""
    program = HostOpenClaw(openclaw, home.runtime)
    state = FileHostState(home.node_state)
    return HostPlane(
        node=home.node,
        home=home.home,
        gateway=build_gateway(gateway, program, state=state, home=home),
        state=state,
        system=LocalSystem(gateway.config_dir),
        openclaw=program,
        cli=OpenClawCli(program, gateway, folder=home.node_state / "empty"),
        config_files=ConfigFiles(gateway.config_file),
        journal=ChangeJournal(home.node_state / "config-change.json"),
        bot_archive=BotArchive(home.node_state / "archive" / "bots"),
        plugin_journal=PluginJournal(home.node_state / "plugin-change.json"),
        plugin_folders=PluginFolders(gateway.config_dir / "extensions", home.node_state / "plugin-before"),
        read_model=ReadModel(redis),
        locks=NodeLocks(home.node_state),
        history=ConfigHistory(_backups(home, watchdog), keep=home.backups_keep),
        live_config=LiveConfig(gateway.config_file),
        self_healing=SelfHealingFile(home.node_state / "self-healing.json"),
        quarantine=Quarantine(home.node_state / "quarantine.json"),
        reports=Reports(_reports(home, watchdog)),
        check_folder=home.node_state / "config-check",
        gateway_settings=gateway,
        candidate_file=home.node_state / "candidate.json",
        device_file=home.node_state / "device.key",
        archive=home.node_state / "archive",
        fresh_seconds=3 * watchdog.check_interval_seconds + PROBE_SECONDS,
        redis=redis,
    )


def build_gateway(
    settings: GatewaySettings, program: HostOpenClaw, *, state: FileHostState, home: HomeSettings
) -> HostGateway:
    """Wire the gateway of this host alone; nothing is started."""
    return HostGateway(
        settings,
        program,
        state=state,
        log_file=home.logs / f"gateway-{home.node}.log",
        port_file=home.node_state / "port.json",
    )


def _backups(home: HomeSettings, watchdog: WatchdogSettings) -> Path:
    """Return the folder of this node's backups; nodes that share a place have one each."""
    return home.node_state / "backups" if watchdog.backup_dir is None else watchdog.backup_dir / home.node


def _reports(home: HomeSettings, watchdog: WatchdogSettings) -> Path:
    """Return the folder of this node's reports, likewise."""
    return home.node_state / "reports" if watchdog.report_dir is None else watchdog.report_dir / home.node
