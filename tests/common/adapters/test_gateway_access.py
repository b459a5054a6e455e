"""Which token opens the gateway, and who gets to see it."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters import gateway_access, processes
from buddy_common.adapters.gateway_access import TOKEN_VARIABLE, find_token, may_see_token
from buddy_common.schemas.processes import ProcessIdentity


def config(token: Any) -> dict[str, Any]:
    return {"gateway": {"auth": {"mode": "token", "token": token}}}


def test_the_token_of_the_config_goes_before_that_of_the_environment() -> None:
    assert find_token(config("in-file"), {TOKEN_VARIABLE: "in-environment"}) == "in-file"


@pytest.mark.parametrize(
    "without", [{}, {"gateway": {}}, {"gateway": {"auth": "token"}}, config(None), config("")]
)
def test_without_one_in_the_config_the_gateways_own_environment_tells(without: dict[str, Any]) -> None:
    assert find_token(without, {TOKEN_VARIABLE: "in-environment"}) == "in-environment"
    assert find_token(without, {}) is None


def test_our_own_token_variable_is_not_the_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "ours")

    assert find_token({}, {}) is None


def test_a_token_that_is_kept_elsewhere_is_not_ours_to_read() -> None:
    assert find_token(config({"source": "exec", "provider": "vault", "id": "gateway"}), {}) is None


@pytest.mark.parametrize(
    ("theirs", "ours", "token"),
    [
        ({"MY_TOKEN": "theirs"}, "ours", "theirs"),
        ({}, "ours", "ours"),
        ({"MY_TOKEN": ""}, "ours", "ours"),
        ({}, None, None),
    ],
)
def test_a_reference_is_looked_up_in_the_gateways_environment_and_then_in_ours(
    theirs: Mapping[str, str], ours: str | None, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    if ours is not None:
        monkeypatch.setenv("MY_TOKEN", ours)

    assert find_token(config("${MY_TOKEN}"), theirs) == token


@pytest.mark.parametrize("token", ["$MY_TOKEN", "${MY_TOKEN", "${}", "${1A}", "a${MY_TOKEN}"])
def test_what_only_looks_like_a_reference_is_the_token_itself(token: str) -> None:
    assert find_token(config(token), {"MY_TOKEN": "theirs"}) == token


@pytest.fixture
def listening() -> Iterator[Callable[[str], int]]:
    """Listen at an address, in this process, and return the port."""
    with ExitStack() as stack:

        def listen(address: str) -> int:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = stack.enter_context(socket.socket(family))
            server.bind((address, 0))
            server.listen()
            return int(server.getsockname()[1])

        yield listen


def me() -> ProcessIdentity:
    found = processes.identify(os.getpid())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("address", "reached"),
    [("127.0.0.1", True), ("0.0.0.0", True), ("127.0.0.2", False)],  # noqa: S104 - bound for an instant
)
def test_only_a_process_that_loopback_reaches_may_see_the_token(
    listening: Callable[[str], int], tmp_path: Path, address: str, *, reached: bool
) -> None:
    assert may_see_token(me(), port=listening(address), config_dir=tmp_path) is reached


def test_a_process_that_listens_elsewhere_may_not_see_the_token(
    listening: Callable[[str], int], tmp_path: Path
) -> None:
    port = listening("127.0.0.1")

    assert not may_see_token(me(), port=port + 1, config_dir=tmp_path)


def test_a_process_of_another_account_may_not_see_the_token(
    listening: Callable[[str], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process were ours, and the gateway another account's."""
    monkeypatch.setattr(gateway_access, "accounts_of", lambda _folder: {os.geteuid() + 1})

    assert not may_see_token(me(), port=listening("127.0.0.1"), config_dir=tmp_path)


def test_nobody_sees_the_token_where_the_process_or_the_folder_is_gone(
    listening: Callable[[str], int], tmp_path: Path
) -> None:
    port = listening("127.0.0.1")

    assert not may_see_token(me(), port=port, config_dir=tmp_path / "gone")
    assert not may_see_token(ProcessIdentity(2**22 + 1, 0.0, "gone"), port=port, config_dir=tmp_path)
