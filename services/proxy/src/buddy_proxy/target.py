"""Where the gateway is at the moment: looked up once, and again when it changed or does not answer."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from buddy_common.adapters.config_include import read_effective_config
from buddy_common.adapters.gateway_host import HostGateway
from buddy_common.adapters.host_state import FileHostState
from buddy_common.adapters.openclaw_config import MAIN, Config, agents_of, default_agent, has_tls, panel_base
from buddy_common.errors import GatewayConfigError
from buddy_common.usecases.gateway_place import GatewayPlace, find_place

# a look costs 10 to 50 ms of another thread; its result holds while the process lives
FRESH_SECONDS = 5.0
# whether it lives is asked no more often: under load that would be a call of the system for each request
LIVES_SECONDS = 0.01


@dataclass(frozen=True)
class Found:
    """The gateway, and which bots its config has."""

    place: GatewayPlace
    default_bot: str
    bots: frozenset[str]
    panel: str = ""  # the path below which the config puts the panel; empty at the root
    has_tls: bool = False

    @property
    def authority(self) -> str:
        """Host and port, as a URL has them."""
        return f"127.0.0.1:{self.place.port}"

    @property
    def origin(self) -> str:
        """The origin of the gateway's own pages; it takes any of loopback from loopback."""
        return f"{'https' if self.has_tls else 'http'}://{self.authority}"

    @property
    def socket_origin(self) -> str:
        """What the addresses of its WebSockets begin with."""
        return f"{'wss' if self.has_tls else 'ws'}://{self.authority}"


class Target:
    """Finds the gateway that requests go to; never a place that a request names."""

    def __init__(
        self, gateway: HostGateway, state: FileHostState, *, config_file: Path, device_file: Path
    ) -> None:
        self._gateway = gateway
        self._state = state
        self._config_file = config_file
        self._device_file = device_file
        self._config: Config = {}
        self._found: Found | None = None
        self._until = 0.0
        self._lives_until = 0.0
        self._lock = asyncio.Lock()

    async def find(self) -> Found:
        """Return where the gateway is.

        Raises:
            GatewayUnreachableError: none listens.
            GatewayRefusedError: what listens is not ours, and gets no token.
        """
        found = self._fresh()
        if found is not None:
            return found
        async with self._lock:
            found = self._fresh()
            if found is None:
                found = await self._look()
                self._found, self._until = found, time.monotonic() + FRESH_SECONDS
            return found

    def forget(self) -> None:
        """Look again next time: the gateway did not answer, or not as it should."""
        self._found = None

    def _fresh(self) -> Found | None:
        found, now = self._found, time.monotonic()
        if found is None or now > self._until:
            return None
        if now > self._lives_until:
            if not _lives(found.place.process.pid):
                return None
            self._lives_until = now + LIVES_SECONDS
        return found

    async def _look(self) -> Found:
        self._config = await asyncio.to_thread(self._read)
        place = await find_place(
            self._gateway,
            self._state,
            self._config,
            config_dir=self._config_file.parent,
            device_file=self._device_file,
        )
        bots = frozenset(bot.id.lower() for bot in agents_of(self._config))
        return Found(
            place,
            default_bot=default_agent(self._config) or MAIN,
            bots=bots,
            panel=panel_base(self._config),
            has_tls=has_tls(self._config),
        )

    def _read(self) -> Config:
        try:
            return read_effective_config(self._config_file) or {}
        except GatewayConfigError:  # a running gateway lives on with its last good config, and so do we
            return self._config


def _lives(pid: int) -> bool:
    """Whether there is such a process; what it is called does not matter here, so no file is read."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
