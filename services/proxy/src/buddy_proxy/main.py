"""The proxy's entry, when it runs as a service of its own."""

import uvicorn

from buddy_common.log import configure_logging
from buddy_common.settings import HomeSettings, ProxySettings
from buddy_proxy.app import create_app


def main() -> None:
    """Serve until SIGTERM."""
    home, settings = HomeSettings(), ProxySettings()
    configure_logging(service="proxy", node=home.node, level=home.log_level)
    uvicorn.run(
        create_app(),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
