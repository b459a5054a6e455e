"""Settings: which variable reaches which field, and which values are refused."""

from pathlib import Path

import pytest
from pydantic import HttpUrl, ValidationError

from buddy_common.settings import (
    ALL_SETTINGS,
    AlertSettings,
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    FlowerSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    ProxySettings,
    Settings,
    SocketSettings,
    WatchdogSettings,
    WebSettings,
    WechatSettings,
    WorkerSettings,
)

NAMES: list[tuple[type[Settings], str, str, str, object]] = [
    (HomeSettings, "BUDDY_HOME", "home", "/srv/buddy", Path("/srv/buddy")),
    (HomeSettings, "BUDDY_NODE", "node", "vps-1", "vps-1"),
    (HomeSettings, "BUDDY_PROXY_URL", "proxy_url", "https://n1.example:8443", "https://n1.example:8443"),
    (HomeSettings, "BUDDY_LOG_LEVEL", "log_level", "debug", "debug"),
    (HomeSettings, "BUDDY_BACKUPS_KEEP", "backups_keep", "7", 7),
    (AuthSettings, "BUDDY_SESSION_DAYS", "session_days", "30", 30),
    (AuthSettings, "BUDDY_TICKET_SECONDS", "ticket_seconds", "9", 9),
    (AuthSettings, "BUDDY_LOGIN_ATTEMPTS_PER_MINUTE", "login_attempts_per_minute", "9", 9),
    (AuthSettings, "BUDDY_DOCS_PUBLIC", "docs_public", "true", True),
    (WebSettings, "BUDDY_WEB_HOST", "host", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - not bound
    (WebSettings, "BUDDY_WEB_PORT", "port", "4000", 4000),
    (WebSettings, "WEB_PORT", "port", "4000", 4000),
    (WebSettings, "BUDDY_MAX_BODY_BYTES", "max_body_bytes", "1000", 1000),
    (WebSettings, "BUDDY_FORWARDED_ALLOW_IPS", "forwarded_allow_ips", "10.0.0.1", "10.0.0.1"),
    (WebSettings, "BUDDY_WAIT_SECONDS", "wait_seconds", "0.5", 0.5),
    (WebSettings, "BUDDY_DEFAULT_NODE", "default_node", "vps-1", "vps-1"),
    (WebSettings, "BUDDY_EXPERTS_DIR", "experts_dir", "/x", Path("/x")),
    (WebSettings, "BUDDY_EXTERNAL_DASHBOARD_URL", "external_dashboard_url", "https://d", "https://d"),
    (WebSettings, "EXTERNAL_DASHBOARD_URL", "external_dashboard_url", "https://d", "https://d"),
    (DatabaseSettings, "BUDDY_DB_FILE", "file", "/data/b.db", Path("/data/b.db")),
    (DatabaseSettings, "DB_FILE", "file", "/data/b.db", Path("/data/b.db")),
    (WechatSettings, "BUDDY_WECHAT_GRACE_SECONDS", "grace_seconds", "9", 9.0),
    (ProxySettings, "BUDDY_PROXY_HOST", "host", "::1", "::1"),
    (ProxySettings, "BUDDY_PROXY_PORT", "port", "4001", 4001),
    (SocketSettings, "BUDDY_TERMINAL_FRAME_BYTES", "terminal_frame_bytes", "1000", 1000),
    (SocketSettings, "BUDDY_TERMINALS", "terminals", "9", 9),
    (SocketSettings, "BUDDY_TERMINAL_IDLE_SECONDS", "terminal_idle_seconds", "0.5", 0.5),
    (SocketSettings, "BUDDY_LOG_READER_LINES", "log_reader_lines", "9", 9),
    (ProxySettings, "BUDDY_PROXY_SILENCE_SECONDS", "silence_seconds", "9.5", 9.5),
    (ProxySettings, "BUDDY_PROXY_COMMENT_SECONDS", "comment_seconds", "9.5", 9.5),
    (ProxySettings, "BUDDY_PROXY_DRAIN_SECONDS", "drain_seconds", "9", 9),
    (ProxySettings, "BUDDY_PROXY_MAX_CHAT_BYTES", "max_chat_bytes", "9", 9),
    (ProxySettings, "BUDDY_PROXY_CONNECTIONS_PER_CLIENT", "connections_per_client", "9", 9),
    (ProxySettings, "BUDDY_PROXY_MAX_FRAME_BYTES", "max_frame_bytes", "9", 9),
    (WatchdogSettings, "BUDDY_WATCHDOG_HOST", "host", "::1", "::1"),
    (WatchdogSettings, "BUDDY_WATCHDOG_PORT", "port", "4002", 4002),
    (WatchdogSettings, "BUDDY_CHECK_INTERVAL_SECONDS", "check_interval_seconds", "5", 5.0),
    (WatchdogSettings, "CHECK_INTERVAL_SECONDS", "check_interval_seconds", "5", 5.0),
    (WatchdogSettings, "BUDDY_REPAIR_BUDGET", "repair_budget", "3", 3),
    (WatchdogSettings, "BUDDY_STEADY_SECONDS", "steady_seconds", "9", 9.0),
    (WatchdogSettings, "BUDDY_ENDLESS_START_SECONDS", "endless_start_seconds", "900", 900.0),
    (WatchdogSettings, "BUDDY_REPORT_DIR", "report_dir", "/r", Path("/r")),
    (WatchdogSettings, "REPORT_DIR", "report_dir", "/r", Path("/r")),
    (WatchdogSettings, "BUDDY_BACKUP_DIR", "backup_dir", "/b", Path("/b")),
    (WatchdogSettings, "BACKUP_DIR", "backup_dir", "/b", Path("/b")),
    (FlowerSettings, "BUDDY_FLOWER_HOST", "host", "::1", "::1"),
    (FlowerSettings, "BUDDY_FLOWER_PORT", "port", "4003", 4003),
    (WorkerSettings, "BUDDY_WORKER_CONCURRENCY", "concurrency", "9", 9),
    (WorkerSettings, "BUDDY_WORKER_STOP_GRACE_SECONDS", "stop_grace_seconds", "0", 0),
    (OpenClawSettings, "BUDDY_OPENCLAW", "program", "/opt/openclaw", Path("/opt/openclaw")),
    (OpenClawSettings, "BUDDY_OPENCLAW_NODE", "node_program", "/opt/node", Path("/opt/node")),
    (OpenClawSettings, "BUDDY_OPENCLAW_VERSION", "version", "2026.9.5", "2026.9.5"),
    (GatewaySettings, "BUDDY_GATEWAY_PORT", "port", "4004", 4004),
    (GatewaySettings, "HEALTH_PORT", "port", "4004", 4004),
    (GatewaySettings, "BUDDY_OPENCLAW_CONFIG_DIR", "config_dir", "/oc", Path("/oc")),
    (GatewaySettings, "OPENCLAW_CONFIG_DIR", "config_dir", "/oc", Path("/oc")),
    (GatewaySettings, "BUDDY_GATEWAY_START_CEILING_SECONDS", "start_ceiling_seconds", "9", 9.0),
    (GatewaySettings, "BUDDY_GATEWAY_START_STALL_SECONDS", "start_stall_seconds", "9", 9.0),
    (GatewaySettings, "BUDDY_GATEWAY_DRAIN_SECONDS", "drain_seconds", "9", 9.0),
    (GatewaySettings, "BUDDY_GATEWAY_SERVICE", "service", "claw.service", "claw.service"),
    (AlertSettings, "BUDDY_PUBLIC_URL", "public_url", "https://b.test", HttpUrl("https://b.test")),
    (GatewaySettings, "BUDDY_GATEWAY_INIT", "init", "/run/init.sock", Path("/run/init.sock")),
    (GatewaySettings, "BUDDY_GATEWAY_PASS_ENV", "pass_env", "A_KEY,B_KEY", "A_KEY,B_KEY"),
]
SECRETS: list[tuple[type[Settings], str, str]] = [
    (BrokerSettings, "BUDDY_REDIS_URL", "url"),
    (DatabaseSettings, "BUDDY_DATABASE_URL", "url"),
    (AuthSettings, "BUDDY_TOKEN", "token"),
    (AlertSettings, "BUDDY_ALERT_URLS", "urls"),
]
EVERY_SETTINGS_CLASS = pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda cls: cls.__name__)


@pytest.mark.parametrize(("settings", "name", "field", "text", "value"), NAMES, ids=str)
def test_variable_sets_its_field(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings], name: str, field: str, text: str, value: object
) -> None:
    assert getattr(settings(), field) != value
    monkeypatch.setenv(name, text)

    assert getattr(settings(), field) == value


def test_the_tables_above_miss_no_variable() -> None:
    known = {name for _, name, *_ in [*NAMES, *SECRETS]}

    assert known == {name for settings in ALL_SETTINGS for name in names_of(settings)}


@pytest.mark.parametrize(
    ("settings", "field", "name", "alias", "values"),
    [
        (WebSettings, "port", "BUDDY_WEB_PORT", "WEB_PORT", ("4000", "4001")),
        (DatabaseSettings, "file", "BUDDY_DB_FILE", "DB_FILE", ("/a", "/b")),
        (WatchdogSettings, "report_dir", "BUDDY_REPORT_DIR", "REPORT_DIR", ("/a", "/b")),
        (WatchdogSettings, "backup_dir", "BUDDY_BACKUP_DIR", "BACKUP_DIR", ("/a", "/b")),
        (GatewaySettings, "port", "BUDDY_GATEWAY_PORT", "HEALTH_PORT", ("4000", "4001")),
        (GatewaySettings, "config_dir", "BUDDY_OPENCLAW_CONFIG_DIR", "OPENCLAW_CONFIG_DIR", ("/a", "/b")),
        (
            WatchdogSettings,
            "check_interval_seconds",
            "BUDDY_CHECK_INTERVAL_SECONDS",
            "CHECK_INTERVAL_SECONDS",
            ("1.5", "2.5"),
        ),
        (
            WebSettings,
            "external_dashboard_url",
            "BUDDY_EXTERNAL_DASHBOARD_URL",
            "EXTERNAL_DASHBOARD_URL",
            ("https://a", "https://b"),
        ),
    ],
)
def test_buddy_name_wins_over_the_name_of_the_original(
    monkeypatch: pytest.MonkeyPatch,
    settings: type[Settings],
    field: str,
    name: str,
    alias: str,
    values: tuple[str, str],
) -> None:
    ours, theirs = values
    monkeypatch.setenv(alias, theirs)
    monkeypatch.setenv(name, ours)
    assert str(getattr(settings(), field)) == ours

    monkeypatch.setenv(name, "")  # compose passes what is not set as an empty string
    assert str(getattr(settings(), field)) == theirs


@EVERY_SETTINGS_CLASS
def test_variable_with_the_bare_name_of_a_field_means_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings]
) -> None:
    """HOME, HOST, PORT, TOKEN and URL are set on many machines, for other programs."""
    monkeypatch.setenv("HOME", "/home/somebody")
    before = settings().model_dump()
    for field in settings.model_fields:
        if field != "home" and field.upper() not in names_of(settings):
            monkeypatch.setenv(field.upper(), "7777")

    assert settings().model_dump() == before


def test_home_is_a_folder_of_its_own_in_the_home_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BUDDY_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert HomeSettings().home == tmp_path / ".openclaw-buddy"
    assert GatewaySettings().config_dir == tmp_path / ".openclaw"


@EVERY_SETTINGS_CLASS
def test_empty_variables_count_as_not_set(monkeypatch: pytest.MonkeyPatch, settings: type[Settings]) -> None:
    monkeypatch.delenv("BUDDY_HOME")
    before = settings()
    for name in names_of(settings):
        monkeypatch.setenv(name, "")

    assert settings() == before


def test_dotenv_of_the_working_folder_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BUDDY_WEB_PORT=4000\nWEB_PORT=4009\nBUDDY_WEB_HOST=::1\nANOTHER=1\n")
    assert (WebSettings().port, WebSettings().host) == (4000, "::1")

    monkeypatch.setenv("BUDDY_WEB_PORT", "4001")
    assert (WebSettings().port, WebSettings().host) == (4001, "::1")


def test_buddy_name_in_the_environment_wins_over_an_alias_in_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HEALTH_PORT=4000\n")
    monkeypatch.setenv("BUDDY_GATEWAY_PORT", "4001")

    assert GatewaySettings().port == 4001


@EVERY_SETTINGS_CLASS
def test_settings_are_frozen(settings: type[Settings]) -> None:
    built = settings()

    for field in settings.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(built, field, None)


@pytest.mark.parametrize(("settings", "name", "field"), SECRETS)
def test_secret_is_kept_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings], name: str, field: str
) -> None:
    monkeypatch.setenv(name, "hunter2")

    built = settings()

    assert getattr(built, field).get_secret_value() == "hunter2"
    assert "hunter2" not in f"{built} {built!r} {built.model_dump()} {built.model_dump_json()}"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80.5", "http"])
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (WebSettings, "BUDDY_WEB_PORT"),
        (ProxySettings, "BUDDY_PROXY_PORT"),
        (WatchdogSettings, "BUDDY_WATCHDOG_PORT"),
        (FlowerSettings, "BUDDY_FLOWER_PORT"),
        (GatewaySettings, "BUDDY_GATEWAY_PORT"),
    ],
)
def test_impossible_port_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings], name: str, port: str
) -> None:
    monkeypatch.setenv(name, port)

    with pytest.raises(ValidationError, match=name):
        settings()


def names_of(settings: type[Settings]) -> list[str]:
    return [
        str(name)
        for field in settings.model_fields.values()
        for name in getattr(field.validation_alias, "choices", [])
    ]
