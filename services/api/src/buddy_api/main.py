"""The api's entry: reads the settings, builds the app, serves it."""

import uvicorn

from buddy_api.app import create_app
from buddy_api.config import ApiConfig
from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.log import configure_logging


def main() -> None:
    """Serve the REST API until SIGTERM."""
    config = ApiConfig.from_environment()
    configure_logging(service="api", node=config.home.node, level=config.home.log_level)
    uvicorn.run(
        create_app(config),
        host=config.web.host,
        port=config.web.port,
        loop="uvloop",
        http=GuardedHttp,
        log_config=None,  # ours is set up already
        access_log=False,  # our own has no query strings
        server_header=False,
        forwarded_allow_ips=config.web.forwarded_allow_ips,
        timeout_graceful_shutdown=5,
    )
