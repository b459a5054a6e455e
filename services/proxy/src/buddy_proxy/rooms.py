"""The WebSockets for logs and terminals of this node, put together."""

from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.routing import WebSocketRoute

from buddy_common.adapters.job_queue import JobQueue
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db.engine import Database
from buddy_common.settings import GatewaySettings, HomeSettings, SocketSettings
from buddy_proxy.audit import TerminalAudit
from buddy_proxy.job_output import JobOutput
from buddy_proxy.log_feed import LogFeed, ReaderLimits
from buddy_proxy.log_sources import BuddyLogs, GatewayLogs
from buddy_proxy.task_news import TaskNews
from buddy_proxy.terminal import TerminalPlaces
from buddy_proxy.ws_door import Authenticates, Door
from buddy_proxy.ws_logs import LogRoom, Source
from buddy_proxy.ws_shell import ShellRoom
from buddy_proxy.ws_tui import TuiRoom


@dataclass(frozen=True)
class SocketSetup:
    """What the WebSockets are built from; the connections are the caller's to close."""

    home: HomeSettings
    gateway: GatewaySettings
    sockets: SocketSettings
    openclaw: HostOpenClaw
    authenticator: Authenticates
    database: Database
    redis: Redis
    jobs: JobQueue


class Sockets:
    """All WebSockets below `/v1/ws`."""

    def __init__(self, setup: SocketSetup) -> None:
        home, node, limits = setup.home, setup.home.node, ReaderLimits(setup.sockets.log_reader_lines)
        stream = TaskStream(setup.redis)
        audit = TerminalAudit(setup.database, node=node)
        gateway_logs = GatewayLogs(setup.gateway.config_file, capture=home.logs / f"gateway-{node}.log")
        self._feeds = {
            Source.GATEWAY: LogFeed(gateway_logs, limits=limits),
            Source.BUDDY: LogFeed(
                BuddyLogs(home.logs),
                limits=limits,
                news=TaskNews(stream, setup.database, node=node).tell,
            ),
        }
        places = TerminalPlaces(setup.sockets)
        # nothing may be in the folder: an agent's workspace would choose that agent
        tui = TuiRoom(setup.openclaw, setup.gateway, audit, places, folder=home.node_state / "empty")
        shell = ShellRoom(setup.jobs, JobOutput(stream, setup.database), audit, setup.sockets, node=node)
        door = Door(setup.authenticator, per_client=setup.sockets.per_client)
        self.routes = [
            WebSocketRoute("/v1/ws/logs", door.to(LogRoom(self._feeds))),
            WebSocketRoute("/v1/ws/tui", door.to(tui)),
            WebSocketRoute("/v1/ws/shell", door.to(shell)),
        ]

    async def close(self) -> None:
        """Let go of the log files."""
        for feed in self._feeds.values():
            await feed.close()
