"""The watchdog's entry: reads the settings, wires the host plane, runs until SIGTERM."""

import uvicorn

from buddy_common.adapters.alerts import Alerts
from buddy_common.adapters.host_plane import build_host_plane
from buddy_common.adapters.redis_client import open_redis
from buddy_common.log import configure_logging
from buddy_common.schemas.wechat import LOGIN_PAGE
from buddy_common.settings import (
    AlertSettings,
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    WatchdogSettings,
)
from buddy_watchdog.app import create_app
from buddy_watchdog.diary import NodeDiary
from buddy_watchdog.healing import Rules
from buddy_watchdog.record import build_recorder
from buddy_watchdog.runner import Runner
from buddy_watchdog.state_file import StateFile
from buddy_watchdog.wechat_watch import WechatWatch


def main() -> None:
    """Watch the gateway and answer health checks until SIGTERM."""
    home, settings, gateway = HomeSettings(), WatchdogSettings(), GatewaySettings()
    configure_logging(service="watchdog", node=home.node, level=home.log_level)
    host = build_host_plane(
        open_redis(BrokerSettings().require()),
        home=home,
        gateway=gateway,
        openclaw=OpenClawSettings(),
        watchdog=settings,
    )
    telling = AlertSettings()
    alerts = Alerts(telling)
    wechat = WechatWatch(
        home.node,
        gateway.config_dir,
        alerts=alerts,
        told=home.node_state / "wechat-told.json",
        page=telling.link_to(LOGIN_PAGE),
    )
    runner = Runner(
        host,
        interval_seconds=settings.check_interval_seconds,
        diary=NodeDiary(
            host,
            recorder=build_recorder(home, DatabaseSettings()),
            wishes=host.self_healing,
            alerts=alerts,
        ),
        store=host.quarantine,
        file=StateFile(home.node_state / "watchdog.json"),
        rules=Rules(
            budget=settings.repair_budget,
            steady_seconds=settings.steady_seconds,
            start_ceiling_seconds=max(settings.endless_start_seconds, gateway.start_ceiling_seconds),
        ),
        beside=[wechat],
    )
    uvicorn.run(
        create_app(runner),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
