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
