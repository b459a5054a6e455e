"""The proxy as `bench.proxy` runs it: the real one, but for where its gateway is."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from buddy_common.adapters.gateway_device import load_device
from buddy_common.adapters.http_guard import GuardedHttp
from buddy_common.log import configure_logging
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.usecases.gateway_place import GatewayPlace
from buddy_proxy.app import ProxyApp
from buddy_proxy.config import ProxyConfig
from buddy_proxy.target import Found, Target
from buddy_proxy.wiring import build_wiring


class Fixed(Target):
    """The upstream of the bench, which is no gateway that could be found."""

    port = 0
    folder = Path()

    async def _look(self) -> Found:
        device = await asyncio.to_thread(load_device, self.folder / "device.key")
        process = ProcessIdentity(1, 0.0, "bench", is_gateway=True)
        place = GatewayPlace(process, self.port, "a-token-of-the-upstream", device)
        return Found(place, default_bot="main", bots=frozenset({"main"}))


def main(port: int, upstream: int, folder: Path) -> None:
    """Serve until SIGTERM."""
    configure_logging(service="bench", node="bench", level="WARNING")
    config = ProxyConfig.from_environment()
    w = build_wiring(config)
    target = Fixed(w.gateway, None, config_file=folder / "none", device_file=folder / "none")  # type: ignore[arg-type]
    target.port, target.folder = upstream, folder
    uvicorn.run(
        ProxyApp(replace(w, target=target)),
        port=port,
        loop="uvloop",
        http=GuardedHttp,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=config.proxy.max_frame_bytes,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
