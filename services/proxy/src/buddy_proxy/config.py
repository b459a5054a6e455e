"""The settings of a proxy process."""

from dataclasses import dataclass

from buddy_common.settings import (
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    ProxySettings,
    SocketSettings,
)


@dataclass(frozen=True)
class ProxyConfig:
    """Everything that a proxy process needs to know from outside."""

    home: HomeSettings
    proxy: ProxySettings
    sockets: SocketSettings
    auth: AuthSettings
    broker: BrokerSettings
    database: DatabaseSettings
    gateway: GatewaySettings
    openclaw: OpenClawSettings

    @classmethod
    def from_environment(cls) -> "ProxyConfig":
        """Read all settings from the environment."""
        return cls(
            home=HomeSettings(),
            proxy=ProxySettings(),
            sockets=SocketSettings(),
            auth=AuthSettings(),
            broker=BrokerSettings(),
            database=DatabaseSettings(),
            gateway=GatewaySettings(),
            openclaw=OpenClawSettings(),
        )
