"""What decides how `buddy up` runs: its options, and all settings that it reads."""

from dataclasses import dataclass
from pathlib import Path

from buddy_cli.planes import Plane
from buddy_common.settings import (
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    FlowerSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    ProxySettings,
    WatchdogSettings,
    WebSettings,
)


@dataclass(frozen=True)
class UpOptions:
    """What the command line decides."""

    plane: Plane = Plane.ALL
    install_openclaw: bool = True
    flower: bool = True
    start_gateway: bool = True

    @property
    def has_flower(self) -> bool:
        """Whether Flower is wanted, and of this plane."""
        return self.flower and self.plane.has_control


@dataclass(frozen=True)
class UpConfig:
    """All settings that `up` reads, after the command line has had its say."""

    home: HomeSettings
    auth: AuthSettings
    web: WebSettings
    broker: BrokerSettings
    database: DatabaseSettings
    watchdog: WatchdogSettings
    proxy: ProxySettings
    flower: FlowerSettings
    openclaw: OpenClawSettings
    gateway: GatewaySettings

    @classmethod
    def from_environment(cls) -> "UpConfig":
        """Read all settings from the environment."""
        return cls(
            home=HomeSettings(),
            auth=AuthSettings(),
            web=WebSettings(),
            broker=BrokerSettings(),
            database=DatabaseSettings(),
            watchdog=WatchdogSettings(),
            proxy=ProxySettings(),
            flower=FlowerSettings(),
            openclaw=OpenClawSettings(),
            gateway=GatewaySettings(),
        )

    @property
    def state_file(self) -> Path:
        """Where `down` and `status` find a running `up`."""
        return self.home.run / "up.json"

    @property
    def lock_file(self) -> Path:
        """Held as long as `up` runs; the system frees it however the process ends."""
        return self.home.run / "up.lock"
