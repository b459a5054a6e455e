"""Where secrets are in arguments, variables and addresses, and that each comes back from its mask."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from buddy_common.secret_mask import mask_secrets, masks_in, restore_secrets
from buddy_common.secret_value import mask_secret

SECRET = "sk-0123456789abcd"
MASKED = "sk-…abcd"


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("pass", True), ("DB_PASS", True), ("dbPass", True), ("db-pass-2", True), ("pwd", True),
        ("adminPwd", True),
        ("sentryDsn", True), ("connectionString", True), ("DB_CONNECTION_STRING", True),
        ("sessionCookie", True),
        ("bypass", False), ("passive", False), ("compass", False), ("passEnv", False), ("passes", False),
        ("monkey", False), ("keyboard", False), ("tokenFile", False), ("apikey", True), ("primaryKey", True),
    ],
)  # fmt: skip
def test_short_telling_words_count_as_words_of_their_own(name: str, is_secret: bool) -> None:  # noqa: FBT001 - a parameter
    assert mask_secrets({name: SECRET}) == {name: MASKED if is_secret else SECRET}


@pytest.mark.parametrize(
    "value",
    [
        {"maxTokens": 8192},
        {"tokenLimit": 8192},
        {"pass": True},
        {"passes": 3},
        {"$include": "./secrets.json5"},
    ],
    ids=str,
)
def test_counts_switches_and_includes_stay_readable(value: Any) -> None:
    assert mask_secrets(value) == value


@pytest.mark.parametrize(
    "value", ["Bearer abcdefgh", "a=b; sid=topsecret1", "Server=x;Pwd=hunter2", "user:hunter2-1"]
)
def test_of_a_value_with_a_short_secret_in_it_nothing_is_shown(value: str) -> None:
    assert mask_secret(value) == "…"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--api-key", SECRET, "run"], ["--api-key", MASKED, "run"]),
        (["-token", "short"], ["-token", "…"]),
        (["--pin-code", "1234", "--secret", 1234], ["--pin-code", "1234", "--secret", "…"]),
        (["--header", f"Authorization: Bearer {SECRET}"], ["--header", f"Authorization: Bearer {MASKED}"]),
        (["-H", "X-Any: short"], ["-H", "X-Any: …"]),
        ([f"--header=X-Any: {SECRET}"], [f"--header=X-Any: {MASKED}"]),
        (["-e", f"GITHUB_TOKEN={SECRET}"], ["-e", f"GITHUB_TOKEN={MASKED}"]),
        (['--password="two words"'], ['--password="…"']),
        (["--api-key=two words", "--x"], ["--api-key=…", "--x"]),
    ],
    ids=str,
)
def test_what_follows_an_option_of_a_telling_name_is_masked(arguments: list[Any], shown: list[Any]) -> None:
    assert mask_secrets({"args": arguments}) == {"args": shown}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--token", "--verbose", "run"],
        ["--token", "-v"],
        ["--api-key", "${API_KEY}"],
        ["--header", "Authorization:${AUTH}"],
        ["-H", "Authorization: Bearer ${AUTH}"],
        ["-H", "tcp://127.0.0.1:2375"],
        ["--max-tokens", "8192", "--max-tokens", 8192],
        ["--keyboard", "de", "--bypass", "x", "-p", "3000"],
        ["-e", "KEYBOARD=de", "LANG=C"],
        ["--key-file", "/etc/key"],
    ],
    ids=str,
)
def test_other_arguments_stay_readable(arguments: list[Any]) -> None:
    assert mask_secrets({"args": arguments}) == {"args": arguments}


def test_a_command_in_one_text_is_masked_as_its_arguments_are() -> None:
    assert mask_secrets({"command": f"npx x --token {SECRET} -v"}) == {
        "command": f"npx x --token {MASKED} -v"
    }


def test_any_word_of_a_variable_may_say_that_it_is_a_secret() -> None:
    plain = {
        "LANG": "C",
        "MAX_TOKENS": "8192",
        "SSH_KEY_FILE": "/k",
        "COMPASS_URL": "x",
        "TOKEN_CACHE": "true",
    }
    secret = {
        "DB_PASS": SECRET,
        "dbPass": SECRET,
        "TOKEN_OF_BOT": SECRET,
        "PASS_1": SECRET,
        "MCP_HEADERS": SECRET,
    }

    assert mask_secrets({"env": plain | secret}) == {"env": plain | dict.fromkeys(secret, MASKED)}
    assert mask_secrets({"env": {"vars": {"KEY_A": SECRET}}}) == {"env": {"vars": {"KEY_A": MASKED}}}
    assert mask_secrets({"TOKEN_OF_BOT": SECRET}) == {"TOKEN_OF_BOT": SECRET}, (
        "elsewhere the last word decides"
    )


@pytest.mark.parametrize(
    ("name", "address", "shown"),
    [
        ("webhookUrl", "https://my.example.com/a/b", "https://my.example.com/…"),
        ("webhookUrl", "https://my.example.com/", "https://my.example.com/"),
        ("webhookUrl", "https://my.example.com/${HOOK}", "https://my.example.com/${HOOK}"),
        ("webhookPath", "/feishu/events", "/feishu/events"),
        ("url", "https://hooks.slack.com/services/T/B/XXXX", "https://hooks.slack.com/…"),
        ("url", "https://discord.com/api/webhooks/1/abc", "https://discord.com/…"),
        ("url", "https://discord.com/api/v10/webhooks/1/abc", "https://discord.com/…"),
        ("url", "https://open.feishu.cn/open-apis/bot/v2/hook/abc", "https://open.feishu.cn/…"),
        ("url", "https://open.feishu.cn/document", "https://open.feishu.cn/document"),
        ("url", "https://oapi.dingtalk.com/robot/send?access_token=a", "https://oapi.dingtalk.com/…?access_token=…"),
        ("url", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a", "https://qyapi.weixin.qq.com/…?key=…"),
        ("url", "https://api.telegram.org/bot1:AA/sendMessage", "https://api.telegram.org/…"),
        ("url", "https://api.telegram.org", "https://api.telegram.org"),
        ("url", "https://key@host.example.com:8443/1", "https://…@host.example.com:8443/1"),
        ("url", "https://user:a/b@host.example.com/1", "https://…@host.example.com/1"),
        ("url", 'https://user:a"b/+&c=@host.example.com/1', "https://…@host.example.com/1"),
        ("url", "https://${USER}:${PASS}@host/?key=${KEY}", "https://${USER}:${PASS}@host/?key=${KEY}"),
        ("url", "http://127.0.0.1:18789/@scope/x", "http://127.0.0.1:18789/@scope/x"),
        ("url", "http://[::1]:3000/a@b", "http://[::1]:3000/a@b"),
        ("url", "http://127.0.0.1:18789/#token=abc", "http://127.0.0.1:18789/#token=…"),
        ("note", "see https://a:b@one.example.com and https://c@two.example.com", None),
    ],
)  # fmt: skip
def test_of_an_address_the_host_stays_readable(name: str, address: str, shown: str | None) -> None:
    expected = shown or "see https://…@one.example.com and https://…@two.example.com"

    assert mask_secrets({name: address}) == {name: expected}


SERVER: dict[str, Any] = {
    "command": f"npx x --token {SECRET}",
    "args": ["--api-key", SECRET, "--db-pass", "one", "--token", "two",
             "-H", "X-Key: a-long-header-value", "-e", "DB_PASS=1"],
    "env": {"DB_PASS": "hunter2-hunter2", "KEY_OF_BOT": "short", "LANG": "C"},
    "webhookUrl": "https://hooks.slack.com/services/T/B/XXXX",
    "webhooks": [{"id": "a", "url": "https://one.example.com/secret-path"}],
    "url": "https://user:hunter2@host.example.com/x?sig=xyz#token=xyz",
    "secrets": ["--pin", 5],
}  # fmt: skip


def test_each_place_that_is_masked_comes_back_as_the_secret_that_is_there() -> None:
    shown = mask_secrets(SERVER)

    for secret in (SECRET, "one'", "two'", "header-value", "hunter2", "short", "XXXX", "secret-path", "xyz"):
        assert secret not in str(shown)
    assert restore_secrets(shown, SERVER) == SERVER
    assert masks_in(restore_secrets(shown, SERVER), SERVER) == []


def test_a_secret_follows_its_option_to_another_place() -> None:
    shown = mask_secrets(SERVER)["args"]

    moved = restore_secrets({"args": ["run", *shown[4:6], *shown[:4]]}, SERVER)

    assert moved == {"args": ["run", "--token", "two", "--api-key", SECRET, "--db-pass", "one"]}


@pytest.mark.parametrize(
    "given",
    [
        {"args": ["--api-key", "sk-…9999"]},
        {"args": ["--other-key", MASKED]},
        {"args": ["--other-key", "…"]},
        {"args": [MASKED]},
        {"args": ["run", "…"]},
        {"args": ["x", "-H", "X-Other: …"]},
        {"args": ["-e", "OTHER_TOKEN=…"]},
        {"command": "npx y --token sk-…abcd"},
        {"env": {"DB_PASS": "…"}},
        {"env": {"OTHER_PASS": "hun…ter2"}},
        {"webhookUrl": "https://other.example.com/…"},
        {"url": "https://hooks.slack.com/…"},
        {"target": "https://other.example.com/…"},
        {"webhooks": [{"id": "b", "url": "https://one.example.com/…"}]},
        {"url": "https://…@other.example.com/x"},
        {"url": "https://host.example.com/x?sig=…"},
        {"url": "https://host.example.com/x#token=…"},
        {"name": MASKED},
    ],
    ids=str,
)
def test_a_mask_is_found_wherever_it_would_be_written(given: dict[str, Any]) -> None:
    assert masks_in(restore_secrets(given, SERVER), SERVER) != []


@pytest.mark.parametrize(
    "given", [{"args": ["wait…"]}, {"note": "more at https://example.com/…"}, {"name": "…"}]
)
def test_an_ellipsis_that_people_wrote_may_be_written(given: dict[str, Any]) -> None:
    assert masks_in(given, SERVER) == []


PIECES = [
    "--api-key", "--token", "-H", "--header=A: b", "Authorization: Bearer abcdef", "https://u:p@h/x?y=1#token=2",
    "-e", "DB_PASS=x", SECRET, "a b", "${X}", "https://hooks.slack.com/a", "'", '"', '--token "a', "=", ":",
    "\\", "&", "@", "://",
]  # fmt: skip
NAMES = [
    "args",
    "env",
    "headers",
    "auth",
    "webhookUrl",
    "DB_PASS",
    "token",
    "id",
    "x",
    "command",
    "TOKEN_A",
    "pass",
]
VALUES = st.recursive(
    st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
    | st.integers(0, 99)
    | st.booleans()
    | st.none(),
    lambda below: st.lists(below, max_size=5) | st.dictionaries(st.sampled_from(NAMES), below, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@example(["--api-key", ["--header=A: b"]])
@given(VALUES)
def test_whatever_is_masked_comes_back_and_is_found_where_it_does_not(value: Any) -> None:
    shown = mask_secrets({"x": value})

    assert restore_secrets(shown, {"x": value}) == {"x": value}
    assert bool(masks_in(shown)) == (shown != {"x": value})
