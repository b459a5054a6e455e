"""Which token opens the gateway."""

from collections.abc import Mapping
from typing import Any

import pytest

from buddy_common.adapters.gateway_access import TOKEN_VARIABLE, find_token


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
