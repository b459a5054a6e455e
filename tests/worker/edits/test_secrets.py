"""A secret that a client has only seen masked."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.errors import InvalidRequestError
from buddy_worker.edits.secrets import with_secrets

KNOWN: dict[str, Any] = {"apiKey": "sk-0123456789abcd", "headers": {"X-Id": "short"}, "keys": ["a" * 20]}


def test_a_mask_becomes_the_secret_and_a_secret_stays_one() -> None:
    given = {"apiKey": "sk-…abcd", "headers": {"X-Id": "…", "X-New": "new"}, "keys": ["aaa…aaaa"], "n": 1}

    assert with_secrets(given, KNOWN) == {
        "apiKey": "sk-0123456789abcd",
        "headers": {"X-Id": "short", "X-New": "new"},
        "keys": ["a" * 20],
        "n": 1,
    }


@pytest.mark.parametrize(
    "given",
    [{"apiKey": "sk-…0000"}, {"headers": {"X-New": "…"}}, {"keys": ["x", "aaa…aaaa"]}, {"token": "…"}],
)
def test_a_mask_of_no_secret_here_is_refused_by_its_name_and_not_by_its_value(given: dict[str, Any]) -> None:
    before = deepcopy(KNOWN)

    with pytest.raises(InvalidRequestError) as caught:
        with_secrets(given, KNOWN)

    assert "Send the secret itself" in caught.value.message
    assert "0123456789" not in caught.value.message
    assert before == KNOWN


SERVER: dict[str, Any] = {
    "args": ["--api-key", "sk-0123456789abcd", "--token", "short", "-H", "X-Key: short"],
    "env": {"DB_PASS": "hunter2-hunter2"},
    "webhookUrl": "https://hooks.slack.com/services/T/B/XXXX",
    "url": "https://user:hunter2@host.example.com/x",
}


def test_a_mask_in_arguments_and_addresses_becomes_the_secret() -> None:
    given = {
        "args": ["run", "--token", "…", "-H", "X-Key: …", "--api-key", "sk-…abcd"],
        "env": {"DB_PASS": "hun…ter2", "LANG": "C"},
        "webhookUrl": "https://hooks.slack.com/…",
        "url": "https://…@host.example.com/x",
    }

    assert with_secrets(given, SERVER) == {
        "args": ["run", "--token", "short", "-H", "X-Key: short", "--api-key", "sk-0123456789abcd"],
        "env": {"DB_PASS": "hunter2-hunter2", "LANG": "C"},
        "webhookUrl": "https://hooks.slack.com/services/T/B/XXXX",
        "url": "https://user:hunter2@host.example.com/x",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"args": ["sk-…abcd"]},
        {"args": ["--other-token", "…"]},
        {"env": {"OTHER_PASS": "hun…ter2"}},
        {"webhookUrl": "https://other.example.com/…"},
        {"other": "https://hooks.slack.com/…"},
        {"url": "https://…@other.example.com/x"},
        {"name": "hun…ter2"},
    ],
    ids=str,
)
def test_a_mask_in_another_place_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="Send the secret itself"):
        with_secrets(given, SERVER)
