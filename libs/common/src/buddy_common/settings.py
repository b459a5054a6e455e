"""Settings: one frozen class per concern, read from BUDDY_* variables and a `.env` file.

Names that users of the original Buddy know (`WEB_PORT`, `HEALTH_PORT`, …) are accepted as well; where
both stand in the same place, the BUDDY_* name wins, and the environment wins over `.env`.
"""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    HttpUrl,
    NonNegativeInt,
    PositiveInt,
    SecretStr,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from buddy_common.errors import SetupError

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]
ExpandedPath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


def _printable(token: SecretStr) -> SecretStr:
    """No header or cookie carries other characters whole, and Flower splits its passwords at commas."""
    if not re.fullmatch(r"[!-+\--~]+", token.get_secret_value()):
        raise ValueError("only printable ASCII, without spaces and commas")
    return token


Token = Annotated[SecretStr, AfterValidator(_printable)]
# the folder of the repository, where Buddy runs from a checkout; an image names its own
_EXPERTS = Path(__file__).parents[4] / "experts"
NODE_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
# a systemd unit or a launchd label; it becomes an argument, so it must not look like an option
SERVICE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,250}$"


def _env(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """What all settings classes have in common: frozen, `.env` beside the environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file=".env",
        extra="ignore",  # one `.env` serves all classes
        env_ignore_empty=True,  # compose passes unset variables as empty strings
        populate_by_name=True,  # for our own constructors …
        # … and for them only: without a prefix, a field `home` or `port` would be read from HOME or PORT
        env_prefix="BUDDY_FIELD_NAMES_ARE_NOT_VARIABLES_",
    )


class HomeSettings(Settings):
    """Which node this is, and where Buddy keeps its own files."""

    home: ExpandedPath = Field(Path("~/.openclaw-buddy"), validation_alias=_env("BUDDY_HOME"))
    node: str = Field("local", pattern=NODE_NAME, validation_alias=_env("BUDDY_NODE"))
    log_level: str = Field(
        "INFO",
        pattern=r"(?i)^(debug|info|warning|error)$",
        validation_alias=_env("BUDDY_LOG_LEVEL"),
    )
    # where the api sends chats and panels of this node that no router took to its proxy
    proxy_url: str | None = Field(
        None, pattern=r"^https?://[^\s/?#@]+$", max_length=255, validation_alias=_env("BUDDY_PROXY_URL")
    )
    backups_keep: int = Field(100, ge=5, validation_alias=_env("BUDDY_BACKUPS_KEEP"))

    @property
    def token_file(self) -> Path:
        """The generated token, mode 0600; used when no token is set."""
        return self.home / "token"

    @property
    def logs(self) -> Path:
        """Rotating logs of the services, and the gateway's own output."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Pid files, generated secrets and locks."""
        return self.home / "run"

    @property
    def runtime(self) -> Path:
        """Node.js and OpenClaw, where Buddy had to install them."""
        return self.home / "runtime"

    @property
    def node_state(self) -> Path:
        """What this host plane remembers about its gateway."""
        return self.home / "nodes" / self.node


class BrokerSettings(Settings):
    """The Redis that carries jobs, live output and the read model."""

    url: SecretStr | None = Field(None, validation_alias=_env("BUDDY_REDIS_URL"))

    def require(self) -> str:
        """Return the URL.

        Raises:
            SetupError: it is not set; outside `buddy up` there is no server to fall back to.
        """
        if self.url is None:
            raise SetupError("BUDDY_REDIS_URL is not set: name the Redis that carries the jobs.")
        return self.url.get_secret_value()


class DatabaseSettings(Settings):
    """Where rows live: SQLite on one machine, PostgreSQL when there are several."""

    url: SecretStr | None = Field(None, validation_alias=_env("BUDDY_DATABASE_URL"))
    file: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_DB_FILE", "DB_FILE"))

    def resolve(self, home: Path) -> str:
        """Return the SQLAlchemy URL, by default a SQLite file under `home`."""
        if self.url is not None:
            return self.url.get_secret_value()
        return f"sqlite:///{quote(str(self.file or home / 'buddy.db'))}"


class AuthSettings(Settings):
    """Who may use the API."""

    token: Token | None = Field(None, validation_alias=_env("BUDDY_TOKEN"))
    session_days: PositiveInt = Field(7, validation_alias=_env("BUDDY_SESSION_DAYS"))
    ticket_seconds: PositiveInt = Field(60, validation_alias=_env("BUDDY_TICKET_SECONDS"))
    login_attempts_per_minute: PositiveInt = Field(
        5, validation_alias=_env("BUDDY_LOGIN_ATTEMPTS_PER_MINUTE")
    )
    docs_public: bool = Field(default=False, validation_alias=_env("BUDDY_DOCS_PUBLIC"))


class WebSettings(Settings):
    """Where the REST API listens and what it accepts."""

    host: str = Field("127.0.0.1", validation_alias=_env("BUDDY_WEB_HOST"))
    port: Port = Field(3000, validation_alias=_env("BUDDY_WEB_PORT", "WEB_PORT"))
    # a bot's file may have 2 MiB; as JSON, Chinese needs up to twice that
    max_body_bytes: PositiveInt = Field(5 * 1024 * 1024, validation_alias=_env("BUDDY_MAX_BODY_BYTES"))
    # addresses whose X-Forwarded-* headers count; only the proxy in front of Buddy belongs here
    forwarded_allow_ips: str = Field("", validation_alias=_env("BUDDY_FORWARDED_ALLOW_IPS"))
    wait_seconds: Seconds = Field(20.0, validation_alias=_env("BUDDY_WAIT_SECONDS"))
    default_node: str | None = Field(None, pattern=NODE_NAME, validation_alias=_env("BUDDY_DEFAULT_NODE"))
    experts_dir: ExpandedPath = Field(_EXPERTS, validation_alias=_env("BUDDY_EXPERTS_DIR"))
    external_dashboard_url: str | None = Field(
        None,
        validation_alias=_env("BUDDY_EXTERNAL_DASHBOARD_URL", "EXTERNAL_DASHBOARD_URL"),
    )


class WechatSettings(Settings):
    """How long a WeChat login goes on that nobody looks at any more."""

    grace_seconds: Seconds = Field(30.0, validation_alias=_env("BUDDY_WECHAT_GRACE_SECONDS"))


class ProxySettings(Settings):
    """Where the streaming proxy listens when it runs as a service of its own, and what it bears."""

    host: str = Field("127.0.0.1", validation_alias=_env("BUDDY_PROXY_HOST"))
    port: Port = Field(3001, validation_alias=_env("BUDDY_PROXY_PORT"))
    # the first answer after a boot took up to 76 s, and a provider that fails is tried for 90 s
    silence_seconds: Seconds = Field(300.0, validation_alias=_env("BUDDY_PROXY_SILENCE_SECONDS"))
    # load balancers cut what is silent for 30 to 60 s
    comment_seconds: Seconds = Field(15.0, validation_alias=_env("BUDDY_PROXY_COMMENT_SECONDS"))
    drain_seconds: NonNegativeInt = Field(5, validation_alias=_env("BUDDY_PROXY_DRAIN_SECONDS"))
    # the gateway takes 20 MB, which are the images of one turn
    max_chat_bytes: PositiveInt = Field(20 * 1024 * 1024, validation_alias=_env("BUDDY_PROXY_MAX_CHAT_BYTES"))
    # per address; behind a reverse proxy that is not trusted, all clients have one
    connections_per_client: PositiveInt = Field(
        256, validation_alias=_env("BUDDY_PROXY_CONNECTIONS_PER_CLIENT")
    )
    # the gateway's own frames have up to 25 MiB
    max_frame_bytes: PositiveInt = Field(
        32 * 1024 * 1024, validation_alias=_env("BUDDY_PROXY_MAX_FRAME_BYTES")
    )


class SocketSettings(Settings):
    """What the WebSockets for logs and terminals allow."""

    # each runs an OpenClaw program of a few hundred megabytes
    terminals: PositiveInt = Field(4, validation_alias=_env("BUDDY_TERMINALS"))
    terminal_frame_bytes: PositiveInt = Field(64 * 1024, validation_alias=_env("BUDDY_TERMINAL_FRAME_BYTES"))
    terminal_idle_seconds: Seconds = Field(1800.0, validation_alias=_env("BUDDY_TERMINAL_IDLE_SECONDS"))
    log_reader_lines: PositiveInt = Field(2000, validation_alias=_env("BUDDY_LOG_READER_LINES"))


class WatchdogSettings(Settings):
    """How often the watchdog looks, and where it answers health checks."""

    host: str = Field("127.0.0.1", validation_alias=_env("BUDDY_WATCHDOG_HOST"))
    port: Port = Field(3002, validation_alias=_env("BUDDY_WATCHDOG_PORT"))
    check_interval_seconds: Seconds = Field(
        10.0,
        validation_alias=_env("BUDDY_CHECK_INTERVAL_SECONDS", "CHECK_INTERVAL_SECONDS"),
    )
    # repairs, until the gateway has been well for an hour or somebody closes the circuit
    repair_budget: PositiveInt = Field(5, validation_alias=_env("BUDDY_REPAIR_BUDGET"))
    # well for so long, an incident is over; what breaks before belongs to it
    steady_seconds: Seconds = Field(60.0, validation_alias=_env("BUDDY_STEADY_SECONDS"))
    # a start that is not up by then hangs, however much it does; at least BUDDY_GATEWAY_START_CEILING_SECONDS
    endless_start_seconds: Seconds = Field(600.0, validation_alias=_env("BUDDY_ENDLESS_START_SECONDS"))
    report_dir: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_REPORT_DIR", "REPORT_DIR"))
    backup_dir: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_BACKUP_DIR", "BACKUP_DIR"))


class AlertSettings(Settings):
    """Whom the watchdog tells of incidents."""

    # addresses of apprise, parted by spaces: https://appriseit.com/services/
    urls: SecretStr | None = Field(None, validation_alias=_env("BUDDY_ALERT_URLS"))
    # how browsers reach Buddy: only whoever runs it knows which proxy is in front
    public_url: HttpUrl | None = Field(None, validation_alias=_env("BUDDY_PUBLIC_URL"))

    @property
    def addresses(self) -> list[str]:
        """Each address; they hold secrets."""
        return [] if self.urls is None else self.urls.get_secret_value().split()

    def link_to(self, path: str) -> str:
        """Return the address of one of Buddy's pages; only the path where nobody has said where Buddy is."""
        return path if self.public_url is None else f"{str(self.public_url).rstrip('/')}{path}"


class FlowerSettings(Settings):
    """Where Flower, the view into Celery, listens. User `buddy`, password: Buddy's token."""

    host: str = Field("127.0.0.1", validation_alias=_env("BUDDY_FLOWER_HOST"))
    port: Port = Field(5555, validation_alias=_env("BUDDY_FLOWER_PORT"))


class WorkerSettings(Settings):
    """How many jobs of one lane run side by side."""

    concurrency: PositiveInt = Field(4, validation_alias=_env("BUDDY_WORKER_CONCURRENCY"))
    # SIGTERM interrupts what runs after this; well under the 10 s that supervisors allow
    stop_grace_seconds: NonNegativeInt = Field(3, validation_alias=_env("BUDDY_WORKER_STOP_GRACE_SECONDS"))


class OpenClawSettings(Settings):
    """Which OpenClaw program this node runs."""

    program: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_OPENCLAW"))
    node_program: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_OPENCLAW_NODE"))
    version: str = Field(
        "2026.9.6",
        pattern=r"^\d{4}\.\d{1,2}\.\d{1,2}$",
        validation_alias=_env("BUDDY_OPENCLAW_VERSION"),
    )


class GatewaySettings(Settings):
    """The gateway that this node operates."""

    # None: `gateway.port` of openclaw.json, else 18789, as OpenClaw itself decides
    port: Port | None = Field(None, validation_alias=_env("BUDDY_GATEWAY_PORT", "HEALTH_PORT"))
    config_dir: ExpandedPath = Field(
        Path("~/.openclaw"),
        validation_alias=_env("BUDDY_OPENCLAW_CONFIG_DIR", "OPENCLAW_CONFIG_DIR"),
    )
    # a cold start took 6 s idle and 118 s on a busy 2-core host; progress decides, this only bounds
    start_ceiling_seconds: Seconds = Field(
        300.0, le=300.0, validation_alias=_env("BUDDY_GATEWAY_START_CEILING_SECONDS")
    )
    # without CPU time, a log line or a new phase for this long, a start has failed
    start_stall_seconds: Seconds = Field(60.0, validation_alias=_env("BUDDY_GATEWAY_START_STALL_SECONDS"))
    # OpenClaw lets running chats finish for up to 315 s after SIGTERM and then needs up to 10 s
    drain_seconds: Seconds = Field(330.0, le=330.0, validation_alias=_env("BUDDY_GATEWAY_DRAIN_SECONDS"))

    # None: OpenClaw's own unit or job where it is installed; `none`: never use a service manager
    service: str | None = Field(None, pattern=SERVICE_NAME, validation_alias=_env("BUDDY_GATEWAY_SERVICE"))

    # the socket of the gateway's own container, where it has one: its first process starts the gateway
    init: ExpandedPath | None = Field(None, validation_alias=_env("BUDDY_GATEWAY_INIT"))

    # names of further variables that the gateway gets from Buddy's environment, such as API keys
    pass_env: str = Field("", validation_alias=_env("BUDDY_GATEWAY_PASS_ENV"))

    @property
    def passed_on(self) -> frozenset[str]:
        """The names in `pass_env`."""
        return frozenset(name.strip() for name in self.pass_env.split(",") if name.strip())

    @property
    def config_file(self) -> Path:
        """The gateway's `openclaw.json`."""
        return self.config_dir / "openclaw.json"


ALL_SETTINGS: tuple[type[Settings], ...] = (
    HomeSettings,
    AuthSettings,
    WebSettings,
    BrokerSettings,
    DatabaseSettings,
    WechatSettings,
    ProxySettings,
    SocketSettings,
    WatchdogSettings,
    AlertSettings,
    FlowerSettings,
    WorkerSettings,
    OpenClawSettings,
    GatewaySettings,
)
