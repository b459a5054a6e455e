"""Settings: values that are refused, and what follows from those that are set."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from buddy_common.db.engine import open_engine
from buddy_common.errors import SetupError
from buddy_common.settings import (
    ALL_SETTINGS,
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    HomeSettings,
    OpenClawSettings,
    Settings,
    WatchdogSettings,
    WebSettings,
    WorkerSettings,
)

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def example_lines() -> list[tuple[str, str]]:
    return re.findall(r"^# ?([A-Z_]+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "name", "text"),
    [
        (HomeSettings, "BUDDY_NODE", "Upper"),
        (HomeSettings, "BUDDY_NODE", "a:b"),
        (HomeSettings, "BUDDY_NODE", "../up"),
        (HomeSettings, "BUDDY_NODE", "a\n"),
        (HomeSettings, "BUDDY_NODE", "n" * 64),
        (HomeSettings, "BUDDY_LOG_LEVEL", "loud"),
        (HomeSettings, "BUDDY_BACKUPS_KEEP", "4"),
        (AuthSettings, "BUDDY_SESSION_DAYS", "0"),
        (AuthSettings, "BUDDY_TICKET_SECONDS", "-1"),
        (AuthSettings, "BUDDY_DOCS_PUBLIC", "perhaps"),
        (WebSettings, "BUDDY_MAX_BODY_BYTES", "0"),
        (WebSettings, "BUDDY_WAIT_SECONDS", "0"),
        (WebSettings, "BUDDY_DEFAULT_NODE", "Upper"),
        (WatchdogSettings, "CHECK_INTERVAL_SECONDS", "0"),
        (WorkerSettings, "BUDDY_WORKER_CONCURRENCY", "0"),
        (WorkerSettings, "BUDDY_WORKER_STOP_GRACE_SECONDS", "-1"),
        (OpenClawSettings, "BUDDY_OPENCLAW_VERSION", "latest"),
        (GatewaySettings, "BUDDY_GATEWAY_START_CEILING_SECONDS", "0"),
        (GatewaySettings, "BUDDY_GATEWAY_DRAIN_SECONDS", "-5"),
        (GatewaySettings, "BUDDY_GATEWAY_SERVICE", "--now"),
        (GatewaySettings, "BUDDY_GATEWAY_SERVICE", "../claw.service"),
        (GatewaySettings, "BUDDY_GATEWAY_SERVICE", "a b"),
        (GatewaySettings, "BUDDY_GATEWAY_SERVICE", "claw.service\n"),
    ],
)
def test_value_that_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings], name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)

    with pytest.raises(ValidationError, match=name):
        settings()


@pytest.mark.parametrize("seconds", ["inf", "nan"])
def test_wait_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("BUDDY_GATEWAY_DRAIN_SECONDS", seconds)

    with pytest.raises(ValidationError, match="BUDDY_GATEWAY_DRAIN_SECONDS"):
        GatewaySettings()


def test_the_longest_node_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDDY_NODE", "n" * 63)

    assert HomeSettings().node == "n" * 63


def test_paths_are_expanded_and_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("BUDDY_OPENCLAW_CONFIG_DIR", "~/claw")
    monkeypatch.setenv("BUDDY_OPENCLAW", "bin/openclaw")

    assert GatewaySettings().config_file == Path("/home/somebody/claw/openclaw.json")
    assert OpenClawSettings().program == tmp_path / "bin" / "openclaw"


def test_files_of_a_node_lie_under_its_home() -> None:
    home = HomeSettings(home=Path("/srv/buddy"), node="vps-1")

    assert home.token_file == Path("/srv/buddy/token")
    assert home.node_state == Path("/srv/buddy/nodes/vps-1")
    assert {home.logs, home.run, home.runtime} == {
        Path("/srv/buddy/logs"),
        Path("/srv/buddy/run"),
        Path("/srv/buddy/runtime"),
    }


def test_broker_url_is_given_or_asked_for_by_name() -> None:
    assert BrokerSettings(url=SecretStr("redis://h")).require() == "redis://h"
    with pytest.raises(SetupError, match="BUDDY_REDIS_URL"):
        BrokerSettings().require()


def test_database_url_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    url, file = SecretStr("postgresql://h/db"), Path("/data/b.db")

    assert DatabaseSettings(url=url, file=file).resolve(tmp_path) == "postgresql://h/db"
    assert DatabaseSettings(file=file).resolve(tmp_path) == "sqlite:////data/b.db"
    assert DatabaseSettings().resolve(Path("/home/x")) == "sqlite:////home/x/buddy.db"


@pytest.mark.parametrize("folder", ["with space", "100%20sure", "what?", "a#b", "小助手"])
def test_database_opens_under_any_home(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    home.mkdir()
    engine = open_engine(DatabaseSettings().resolve(home))

    engine.connect().close()
    engine.dispose()

    assert (home / "buddy.db").exists()


def test_example_file_names_every_variable_once() -> None:
    names = [name for name, _ in example_lines()]
    known = {
        str(name)
        for settings in ALL_SETTINGS
        for field in settings.model_fields.values()
        for name in getattr(field.validation_alias, "choices", [])
    }

    assert set(names) == known
    assert len(names) == len(set(names))


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda cls: cls.__name__)
def test_example_file_shows_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: type[Settings]
) -> None:
    monkeypatch.delenv("BUDDY_HOME")
    defaults = settings()

    (tmp_path / ".env").write_text(re.sub(r"^# ?([A-Z_]+=)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE))

    assert settings() == defaults
