"""Which files are followed: by date, by `logging.file`, and none that somebody else put there."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from buddy_proxy.log_sources import BuddyLogs, GatewayLogs

NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - local time, as OpenClaw's names have


class Place:
    """A gateway's folders, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.config = folder / "openclaw.json"
        self.capture = folder / "gateway-local.log"
        self.logs = folder / "openclaw"
        self.logs.mkdir()
        self.source = GatewayLogs(
            self.config, capture=self.capture, folders=(self.logs, folder / "none"), now=lambda: self.now
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_log_of_today_is_followed_and_the_capture(place: Place) -> None:
    assert place.source.files() == [place.logs / "openclaw-2026-11-22.log", place.capture]


def test_shortly_after_midnight_the_log_of_yesterday_is_followed_as_well(place: Place) -> None:
    old, new = place.logs / "openclaw-2026-11-22.log", place.logs / "openclaw-2026-11-23.log"

    place.now = datetime(2026, 11, 23, 0, 0, 1)  # noqa: DTZ001 - as above
    assert place.source.files() == [old, new, place.capture]
    place.now += timedelta(minutes=5)
    assert place.source.files() == [new, place.capture]


def test_the_configured_file_is_followed_from_the_moment_of_the_change(place: Place, tmp_path: Path) -> None:
    place.source.files()

    place.config.write_text(json.dumps({"logging": {"file": str(tmp_path / "own.log")}}))

    assert place.source.files() == [tmp_path / "own.log", place.capture]
    assert place.source.history()[0] == [tmp_path / "own.log"]


def test_a_folder_that_is_a_link_is_left_out(place: Place, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(place.logs)

    source = GatewayLogs(place.config, capture=place.capture, folders=(link,), now=lambda: NOON)

    assert source.files() == [place.capture]


def test_history_goes_back_to_yesterday_and_to_the_capture_before(place: Place) -> None:
    assert place.source.history() == [
        [place.logs / "openclaw-2026-11-21.log", place.logs / "openclaw-2026-11-22.log"],
        [place.capture.with_name("gateway-local.1.log"), place.capture],
    ]


def test_the_token_of_the_gateway_is_a_secret(place: Place) -> None:
    place.config.write_text(json.dumps({"gateway": {"auth": {"token": "of-the-gateway"}}}))
    place.source.files()

    assert place.source.secrets() == ["of-the-gateway"]


def test_buddys_logs_are_those_of_its_services(tmp_path: Path) -> None:
    for name in ("web.log", "web.log.1", "worker-fast.log", "gateway-local.log", "gateway-local.1.log"):
        (tmp_path / name).touch()

    source = BuddyLogs(tmp_path)

    assert source.files() == [tmp_path / "web.log", tmp_path / "worker-fast.log"]
    assert source.history()[0] == [tmp_path / "web.log.1", tmp_path / "web.log"]
    assert source.secrets() == []
