"""The proxy's entry, when it runs as a service of its own."""

import uvicorn

from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.log import configure_logging
from buddy_common.settings import WebSettings
from buddy_proxy.app import create_app
from buddy_proxy.config import ProxyConfig


def main() -> None:
    """Serve until SIGTERM."""
    config = ProxyConfig.from_environment()
    configure_logging(service="proxy", node=config.home.node, level=config.home.log_level)
    uvicorn.run(
        create_app(config),
        host=config.proxy.host,
        port=config.proxy.port,
        loop="uvloop",
        http=GuardedHttp,
        ws="websockets-sansio",
        ws_max_size=config.proxy.max_frame_bytes,
        ws_per_message_deflate=False,  # on loopback and behind Traefik it only costs time
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=WebSettings().forwarded_allow_ips,
        # open streams get `drain_seconds` and then an end that says so, for which there must be time
        timeout_graceful_shutdown=config.proxy.drain_seconds + 2,
    )
