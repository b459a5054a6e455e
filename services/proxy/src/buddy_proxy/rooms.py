"""What is behind the WebSockets for logs and terminals of this node, put together."""

from dataclasses import dataclass

from redis.asyncio import Redis

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
from buddy_proxy.ws_logs import LogRoom, Source
from buddy_proxy.ws_shell import ShellRoom
from buddy_proxy.ws_tui import TuiRoom


@dataclass(frozen=True)
class RoomSettings:
    """What the rooms need to know from outside."""

    home: HomeSettings
    gateway: GatewaySettings
    sockets: SocketSettings


@dataclass(frozen=True)
class Rooms:
    """Each serves one kind of socket, to its end."""

    logs: LogRoom
    tui: TuiRoom
    shell: ShellRoom

    async def close(self) -> None:
        """Let go of the log files."""
        await self.logs.close()


def build_rooms(
    settings: RoomSettings, *, openclaw: HostOpenClaw, database: Database, redis: Redis, jobs: JobQueue
) -> Rooms:
    """Wire the rooms together; the connections are the caller's to close."""
    home, node, sockets = settings.home, settings.home.node, settings.sockets
    stream, limits = TaskStream(redis), ReaderLimits(sockets.log_reader_lines)
    audit = TerminalAudit(database, node=node)
    feeds = {
        Source.GATEWAY: LogFeed(
            GatewayLogs(settings.gateway.config_file, capture=home.logs / f"gateway-{node}.log"),
            limits=limits,
        ),
        Source.BUDDY: LogFeed(
            BuddyLogs(home.logs), limits=limits, news=TaskNews(stream, database, node=node).tell
        ),
    }
    return Rooms(
        logs=LogRoom(feeds),
        tui=TuiRoom(
            openclaw, settings.gateway, audit, TerminalPlaces(sockets), folder=home.node_state / "empty"
        ),
        shell=ShellRoom(jobs, JobOutput(stream, database), audit, sockets, node=node),
    )
