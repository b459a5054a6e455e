"""Who is named by what OpenClaw said, and who is not."""

import pytest

from buddy_watchdog.repairs.suspects import accusations, suspects

CONFIG = {
    "plugins": {"entries": {"weather": {"enabled": True}, "@acme/mail": {}}},
    "channels": {"telegram": {}, "openclaw-weixin": {}},
}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("plugins.entries.weather: plugin not found", ("plugins", "entries", "weather")),
        ("channels.telegram: unknown channel id: telegram", ("channels", "telegram")),
        (
            "    at register (/home/o/.openclaw/extensions/weather/index.js:3:9)",
            ("plugins", "entries", "weather"),
        ),
        ("    at x (/o/extensions/@acme/mail/dist/a.js:1:1)", ("plugins", "entries", "@acme/mail")),
        ('failed to load plugin "weather": boom', ("plugins", "entries", "weather")),
        ("unknown channel id: openclaw-weixin", ("channels", "openclaw-weixin")),
    ],
)
def test_the_entry_that_is_named_is_found(line: str, path: tuple[str, ...]) -> None:
    assert suspects([line], CONFIG) == [path]


@pytest.mark.parametrize(
    "line",
    [
        "plugins.entries.gone: plugin not found",
        'gateway: Unrecognized key: "foo"',
        "it failed",
        "channels: bad",
    ],
)
def test_what_is_not_configured_is_no_suspect(line: str) -> None:
    assert suspects([line], CONFIG) == []


def test_a_plugin_that_the_log_names_in_passing_is_not_accused() -> None:
    lines = [
        "[plugins] loaded plugin weather",
        "Error: plugin weather threw",
        "    at a (/x/extensions/weather/i.js)",
    ]

    assert accusations(lines) == lines[1:]


@pytest.mark.parametrize(
    "lines",
    [
        ["outbound queue write failed; continuing without durability (channel=telegram to=42): ENOENT"],
        ["device-pair: /pair invoked channel=telegram sender=unknown action=new"],
        ["plugin service stop failed (plugin=weather, service=x): timeout"],
        [
            "[openclaw] Non-fatal unhandled rejection (continuing): TypeError: fetch failed",
            "    at send (/o/extensions/weather/api.js:10:2)",
        ],
    ],
)
def test_what_a_gateway_lives_with_accuses_nobody(lines: list[str]) -> None:
    assert accusations(lines) == []


def test_the_stack_of_what_has_ended_it_accuses() -> None:
    lines = ["[openclaw] Uncaught exception: Error: boom", "    at send (/o/extensions/weather/api.js:10:2)"]

    assert suspects(accusations(lines), CONFIG) == [("plugins", "entries", "weather")]
