"""What is left of a secret when it is shown."""

from typing import Any

import pytest

from buddy_common.secret_mask import mask_secret, mask_secrets

SECRET = "sk-0123456789abcd"
MASKED = "sk-…abcd"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SECRET, MASKED),
        ("123456789012", "123…9012"),
        ("12345678901", "…"),
        ("x", "…"),
        ("", ""),
        ("密钥密钥密钥密钥密钥密钥", "密钥密…密钥密钥"),
        ("${OPENAI_API_KEY}", "${OPENAI_API_KEY}"),
        ("${OPENAI_API_KEY}-and-more", "${O…more"),
        ("x${OPENAI_API_KEY}", "x${…KEY}"),
    ],
)
def test_a_secret_shows_its_ends_only_and_a_reference_itself(value: str, shown: str) -> None:
    assert mask_secret(value) == shown


@pytest.mark.parametrize(
    "name",
    [
        "apiKey", "api_key", "API-KEY", "x-api-key", "token", "botToken", "accessTokens", "clientSecret",
        "password", "PASSWD", "Authorization", "credentials", "Cookie", "keys",
    ],
)  # fmt: skip
def test_a_text_under_a_telling_name_is_masked(name: str) -> None:
    assert mask_secrets({name: SECRET}) == {name: MASKED}


@pytest.mark.parametrize("name", ["baseUrl", "keyboard", "tokenizer", "secretary", "id", "name", ""])
def test_a_text_under_another_name_is_kept(name: str) -> None:
    assert mask_secrets({name: SECRET}) == {name: SECRET}


def test_secrets_are_found_however_deep_they_are() -> None:
    value = {"providers": [{"headers": {"Authorization": SECRET}, "models": [{"id": SECRET}]}, SECRET]}

    assert mask_secrets(value) == {
        "providers": [{"headers": {"Authorization": MASKED}, "models": [{"id": SECRET}]}, SECRET]
    }


def test_each_text_of_a_list_under_a_telling_name_is_masked() -> None:
    value = {"apiKeys": [SECRET, "${KEY}", {"id": "one", "token": SECRET}, [SECRET], 5]}

    assert mask_secrets(value) == {
        "apiKeys": [MASKED, "${KEY}", {"id": "one", "token": MASKED}, [MASKED], "…"]
    }


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "plain", [], {}, {"maxTokens": 64000, "token": None}])
def test_what_is_no_secret_text_is_the_same_afterwards(value: Any) -> None:
    assert mask_secrets(value) == value


def test_a_reference_to_a_store_stays_readable() -> None:
    reference = {"apiKey": {"source": "env", "provider": "default", "id": "OPENAI_API_KEY"}}

    assert mask_secrets(reference) == reference


def test_the_value_itself_is_left_alone() -> None:
    value = {"a": {"token": SECRET}, "b": [{"token": SECRET}]}

    mask_secrets(value)

    assert value == {"a": {"token": SECRET}, "b": [{"token": SECRET}]}


def test_everything_in_headers_and_in_an_auth_section_is_masked_but_what_says_how() -> None:
    provider = {
        "headers": {"X-Portkey-Virtual": SECRET, "X-Id": 5},
        "request": {
            "auth": {"mode": "header", "headerName": "X-Auth", "value": SECRET},
            "tls": {"passphrase": SECRET, "ca": "/etc/ca.pem"},
        },
        "contextTokens": 64000,
    }

    assert mask_secrets(provider) == {
        "headers": {"X-Portkey-Virtual": MASKED, "X-Id": "…"},
        "request": {
            "auth": {"mode": "header", "headerName": "X-Auth", "value": MASKED},
            "tls": {"passphrase": MASKED, "ca": "/etc/ca.pem"},
        },
        "contextTokens": 64000,
    }


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://user:hunter2@api.example.com/v1", "https://…@api.example.com/v1"),
        ("https://api.example.com/v1?key=hunter2&x=1", "https://api.example.com/v1?key=…&x=…"),
        ("https://[broken", "https://[broken"),
    ],
)
def test_of_an_address_the_password_and_the_query_are_masked(address: str, shown: str) -> None:
    assert mask_secrets({"baseUrl": address}) == {"baseUrl": shown}
