"""What is left of a secret when it is shown."""

from copy import deepcopy
from typing import Any

import pytest

from buddy_common.secret_mask import mask_secrets, masks_in, restore_secrets
from buddy_common.secret_value import mask_secret

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
        "bearer", "apiKeyValue", "MY_API_KEY_2", "pat", "githubPat", "GITHUB_PAT", "x-pat", "githubPAT",
    ],
)  # fmt: skip
def test_a_text_under_a_telling_name_is_masked(name: str) -> None:
    assert mask_secrets({name: SECRET}) == {name: MASKED}


@pytest.mark.parametrize(
    "name", ["baseUrl", "keyboard", "tokenizer", "secretary", "id", "name", "", "compat", "COMPAT", "path"]
)
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


@pytest.mark.parametrize("name", ["id", "type", "mode", "source", "provider", "headerName", "maxTokens"])
def test_a_header_of_any_name_is_masked(name: str) -> None:
    assert mask_secrets({"headers": {name: SECRET}}) == {"headers": {name: MASKED}}


def test_a_reference_in_the_place_of_a_header_stays_readable() -> None:
    value = {"headers": {"X-Key": {"source": "env", "provider": "default", "id": "OPENAI_API_KEY"}}}

    assert mask_secrets(value) == value


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        (f"--api-key={SECRET}", f"--api-key={MASKED}"),
        (f"--TOKEN {SECRET} --verbose", f"--TOKEN {MASKED} --verbose"),
        ("--client-secret=short", "--client-secret=…"),
        ("--password=${PASSWORD}", "--password=${PASSWORD}"),
        ("--max-tokens=64000", "--max-tokens=64000"),
        ("--key-file=/etc/key", "--key-file=/etc/key"),
        ("--api-key", "--api-key"),
    ],
)
def test_of_an_argument_the_secret_after_its_option_is_masked(argument: str, shown: str) -> None:
    assert mask_secrets({"args": ["run", argument]}) == {"args": ["run", shown]}


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


KNOWN: dict[str, Any] = {
    "baseUrl": "https://user:hunter2@api.example.com/v1?key=hunter2",
    "apiKey": SECRET,
    "headers": {"X-Id": 5, "X-Name": "a-long-secret-value"},
    "apiKeys": [SECRET, "sk-abcdefghijklm"],
    "short": {"token": "abc"},
    "args": ["run", f"--api-key={SECRET}", "--token hunter2 --verbose", "--keyboard=de"],
    "request": {"headers": {"id": SECRET, "type": "abc"}},
    "rows": {"headers": [{"id": SECRET, "value": "a-long-secret-value"}]},
    "models": [
        {"id": "one", "headers": {"X-Key": "secret-of-model-one"}},
        {"id": "two", "headers": {"X-Key": "secret-of-model-two"}},
    ],
}


def test_what_was_shown_masked_is_the_same_again_when_it_comes_back() -> None:
    shown = mask_secrets(KNOWN)

    assert SECRET not in str(shown)
    assert restore_secrets(shown, KNOWN) == KNOWN
    assert masks_in(restore_secrets(shown, KNOWN)) == []


def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    given = mask_secrets(KNOWN) | {"apiKey": "sk-another-secret"}

    assert restore_secrets(given, KNOWN) == KNOWN | {"apiKey": "sk-another-secret"}


def test_models_are_known_by_their_id_wherever_they_stand() -> None:
    shown = mask_secrets(KNOWN)
    given = {"models": [{"id": "new"}, shown["models"][1]]}

    assert restore_secrets(given, KNOWN) == {"models": [{"id": "new"}, KNOWN["models"][1]]}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"apiKey": "sk-…9999"}, ["apiKey"]),
        ({"token": MASKED}, ["token"]),
        ({"apiKeys": ["new", MASKED]}, ["apiKeys"]),
        ({"models": [{"id": "three", "headers": {"X-Key": "sec…-two"}}]}, ["X-Key"]),
        ({"headers": {"X-Other": "…"}}, ["X-Other"]),
        ({"baseUrl": "https://…@other.example.com/v1"}, ["baseUrl"]),
        ({"baseUrl": "https://api.example.com/v1?key=…"}, ["baseUrl"]),
        ({"headers": {"id": "…"}}, ["id"]),
        ({"args": ["--api-key=sk-…9999", "--token …"]}, ["args", "args"]),
        ({"auth": [{"value": ["…"]}]}, ["value"]),
        ({"apiKey": "…", "headers": {"a": "…"}}, ["apiKey", "a"]),
    ],
)
def test_a_mask_of_no_secret_that_is_known_there_is_found(given: dict[str, Any], names: list[str]) -> None:
    assert masks_in(restore_secrets(given, KNOWN)) == names


@pytest.mark.parametrize(
    "value",
    [
        {"name": "wait…"},
        {"apiKey": "${KEY}"},
        {"apiKey": SECRET},
        {"auth": {"mode": "…"}},
        {"note": "see https://example.com/…"},
        {"apiKey": None},
        {"apiKey": {"source": "env", "provider": "…", "id": "KEY"}},
        ["…"],
        "…",
        5,
        {},
    ],
)
def test_an_ellipsis_elsewhere_is_no_mask(value: Any) -> None:
    assert masks_in(value) == []


@pytest.mark.parametrize(
    "known", [None, "text", 5, [], {}, {"apiKey": None}, {"apiKey": ["x"]}, {"apiKey": {}}]
)
def test_what_is_known_may_have_any_shape(known: Any) -> None:
    given = {"apiKey": MASKED, "models": [{"id": "one", "token": "…"}, 5], "headers": {"a": 1}}

    assert restore_secrets(given, known) == given


def test_restoring_changes_neither_side() -> None:
    given, known = mask_secrets(KNOWN), deepcopy(KNOWN)

    restore_secrets(given, known)

    assert (given, known) == (mask_secrets(KNOWN), KNOWN)


def test_the_secret_of_one_name_is_not_given_out_under_another() -> None:
    given = {"name": MASKED, "token": MASKED, "models": [{"id": "two", "headers": {"X-Key": "sec…-one"}}]}

    assert restore_secrets(given, KNOWN) == given
