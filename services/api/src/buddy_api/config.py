"""The settings of an api process."""

from dataclasses import dataclass

from buddy_common.settings import (
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    HomeSettings,
    WebSettings,
    WechatSettings,
)


@dataclass(frozen=True)
class ApiConfig:
    """Everything that an api process needs to know from outside."""

    home: HomeSettings
    web: WebSettings
    auth: AuthSettings
    broker: BrokerSettings
    database: DatabaseSettings
    wechat: WechatSettings

    @classmethod
    def from_environment(cls) -> "ApiConfig":
        """Read all settings from the environment."""
        return cls(
            home=HomeSettings(),
            web=WebSettings(),
            auth=AuthSettings(),
            broker=BrokerSettings(),
            database=DatabaseSettings(),
            wechat=WechatSettings(),
        )
