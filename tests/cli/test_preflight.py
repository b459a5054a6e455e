"""What must be true before the start: each failure is one clear line without secrets."""

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from buddy_cli.failures import (
    DatabaseUnusableError,
    FolderError,
    PortInUseError,
    RedisUnreachableError,
)
from buddy_cli.preflight import (
    redis_address,
    require_database,
    require_folder,
    require_port,
    require_redis,
)
from buddy_common.errors import SetupError
from fakes.ports import free_port


def test_a_new_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    require_folder(folder)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(FolderError) as failure:
        require_folder(file / "home")

    assert str(file / "home") in failure.value.message
    assert os.strerror(20) in failure.value.message
    assert "BUDDY_HOME" in failure.value.message


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(FolderError, match="Cannot write to"):
        require_folder(file)


def test_a_free_port_is_fine() -> None:
    require_port("127.0.0.1", free_port(), use="the API", remedy="")


def test_a_port_in_use_names_the_program_and_its_pid() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUseError) as failure:
            require_port("127.0.0.1", port, use="the API", remedy="Stop it, or pass --port.")

    assert f"Port {port} for the API is taken by" in failure.value.message
    assert f"(pid {os.getpid()})" in failure.value.message
    assert "pass --port" in failure.value.message


def test_a_port_that_is_taken_on_another_address_of_ours_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PortInUseError):
        require_port("0.0.0.0", server.getsockname()[1], use="the API", remedy="")  # noqa: S104 - what a user may ask for


def test_an_address_that_is_not_of_this_machine_is_not_called_taken() -> None:
    with pytest.raises(SetupError) as failure:
        require_port("192.0.2.1", free_port(), use="the API", remedy="")

    assert "192.0.2.1" in failure.value.message
    assert "taken" not in failure.value.message


def test_a_redis_that_answers_is_fine(redis_url: str) -> None:
    require_redis(redis_url)


def test_an_unreachable_redis_is_named_without_its_password() -> None:
    port = free_port()

    with pytest.raises(RedisUnreachableError) as failure:
        require_redis(f"redis://joe:hunter2@127.0.0.1:{port}/0")

    assert f"127.0.0.1:{port}" in failure.value.message
    assert "hunter2" not in failure.value.message
    assert "\n" not in failure.value.message


def test_a_redis_that_refuses_the_password_is_unreachable(redis_url: str) -> None:
    with pytest.raises(RedisUnreachableError, match="password"):
        require_redis(redis_url.replace("redis://:", "redis://:wrong"))


def test_what_is_no_redis_is_unreachable() -> None:
    """It takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        with pytest.raises(RedisUnreachableError, match="Cannot reach Redis"):
            require_redis(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://joe:hunter2@127.0.0.1",
        "nonsense",
        "redis://127.0.0.1:99999/0",
        "redis://[::1",
        "redis://:hunter2/more@127.0.0.1:6379/0",  # characters that must be written as %2F and %23
        "redis://:hunter2#more@127.0.0.1:6379/0",
    ],
)
def test_a_bad_redis_url_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(RedisUnreachableError) as failure:
        require_redis(url)

    assert "hunter2" not in failure.value.message
    assert "\n" not in failure.value.message


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://:hunter2@127.0.0.1:7000/0", "127.0.0.1:7000"),
        ("redis://db", "db:6379"),
        ("rediss://joe:hunter2@db.example.com/1", "db.example.com:6379"),
    ],
)
def test_the_address_of_a_redis_is_host_and_port(url: str, address: str) -> None:
    assert redis_address(url) == address


def test_a_new_database_gets_its_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"

    require_database(url)
    require_database(url)

    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "not usable"),
        ("mysql://joe:hunter2@127.0.0.1/buddy", "sqlite:/// or postgresql://"),
        ("sqlite+nonsense:///buddy.db", "not usable"),
        ("sqlite:////nowhere/buddy.db", "unable to open"),
        ("postgresql://joe:hunter2@127.0.0.1:1/buddy", "refused"),
    ],
)
def test_an_unusable_database_is_one_line_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUnusableError) as failure:
        require_database(url)

    assert reason in failure.value.message
    assert "hunter2" not in failure.value.message
    assert "\n" not in failure.value.message


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Joe, " * 1000)

    with pytest.raises(DatabaseUnusableError, match="not a database"):
        require_database(f"sqlite:///{file}")

    assert file.read_text() == "Dear Joe, " * 1000


def test_a_database_of_a_newer_buddy_is_unusable(tmp_path: Path) -> None:
    file = tmp_path / "newer.db"
    require_database(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    connection.close()

    with pytest.raises(DatabaseUnusableError, match="9999_from_the_future"):
        require_database(f"sqlite:///{file}")
