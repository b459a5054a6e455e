"""The token and other files that only their owner may read."""

import os
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from buddy_common.adapters.secret_file import (
    append_private,
    create_private,
    known_token,
    read_or_create_secret,
    resolve_token,
)
from buddy_common.settings import AuthSettings, HomeSettings
from common.racing import race


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "token"


def test_secret_is_made_once_and_stays(file: Path) -> None:
    secret = read_or_create_secret(file)

    assert len(secret) >= 43  # 256 bits
    assert read_or_create_secret(file) == secret
    assert file.read_text().strip() == secret


def test_secret_and_its_folder_are_for_the_owner_only(file: Path) -> None:
    before = os.umask(0)
    try:
        read_or_create_secret(file)
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_secret_that_an_operator_wrote_is_taken(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("  chosen-by-hand \n")

    assert read_or_create_secret(file) == "chosen-by-hand"


def test_secrets_of_two_files_differ(tmp_path: Path) -> None:
    assert read_or_create_secret(tmp_path / "a") != read_or_create_secret(tmp_path / "b")


def test_all_who_ask_at_once_get_the_same_secret(tmp_path: Path) -> None:
    for turn in range(30):
        file = tmp_path / str(turn) / "token"
        secrets = race(8, partial(read_or_create_secret, file))

        assert set(secrets) == {file.read_text().strip()}
        assert len(secrets[0]) >= 43


@pytest.mark.parametrize("content", ["", "\n", "  \n"])
def test_empty_file_is_never_taken_for_a_secret(file: Path, content: str) -> None:
    """A full disk or a crash leaves one; an empty token would let everybody in."""
    file.parent.mkdir()
    file.write_text(content)

    try:
        secret = read_or_create_secret(file)
    except OSError as exc:
        assert str(file) in str(exc)  # noqa: PT017 - to refuse is as good as to make a new one
    else:
        assert len(secret) >= 43


def test_secret_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        read_or_create_secret(tmp_path / "file" / "token")


def test_token_of_the_settings_wins_and_no_file_is_made(tmp_path: Path) -> None:
    home = HomeSettings(home=tmp_path / "home")

    assert resolve_token(AuthSettings(token=SecretStr("chosen")), home) == "chosen"
    assert not home.home.exists()


def test_token_is_made_in_the_home_when_none_is_set(tmp_path: Path) -> None:
    home = HomeSettings(home=tmp_path / "home")

    token = resolve_token(AuthSettings(), home)

    assert home.token_file.read_text().strip() == token
    assert resolve_token(AuthSettings(), home) == token


def test_private_file_is_created_only_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with create_private(path) as file:
        file.write(b"one")

    with pytest.raises(FileExistsError):
        create_private(path)

    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o600


def test_private_log_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    for line in (b"one\n", b"two\n"):
        with append_private(path) as file:
            file.write(line)

    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_who_may_not_make_a_token_knows_only_one_that_is_there(tmp_path: Path) -> None:
    home = HomeSettings(home=tmp_path / "home")

    assert known_token(AuthSettings(), home) is None
    assert not home.token_file.exists()
    made = resolve_token(AuthSettings(), home)
    assert known_token(AuthSettings(), home) == made
    assert known_token(AuthSettings(token=SecretStr("given")), home) == "given"
