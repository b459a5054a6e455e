"""What looks like a secret is masked in any text, and what people need to read is not."""

import pytest

from buddy_common.text_mask import mask_text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("calling with sk-proj-abcdefghij0123456789", "abcdefghij0123456789"),
        ('{"apiKey":"short-key-1"}', "short-key-1"),
        ("OPENAI_API_KEY=qwertyuiop", "qwertyuiop"),
        ("gateway.auth.token: hunter22-hunter22", "hunter22-hunter22"),
        ("--password=hunter2hunter2", "hunter2hunter2"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("redis://user:pa55word@host/0", "pa55word"),
        ("wss://host/?token=abcdefg", "abcdefg"),
        ("telegram bot 123456789:AAFabcdefghijklmnopqrstu failed", "AAFabcdefghijklmnopqrstu"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh", "eyJzdWIiOiIxIn0"),
        ("key 5f70bf18a086007016e948b04aed3b82103a36be", "a086007016e948b04aed3b82"),
        ("github ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_a_secret_is_not_in_the_text_any_more(text: str, secret: str) -> None:
    shown = mask_text(text)

    assert secret not in shown
    assert "…" in shown or "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-28T10:00:00.123Z [gateway] listening on ws://127.0.0.1:18789 (pid 4711)",
        'Config invalid: plugins.entries.wechat-control: Unrecognized key: "foo"',
        "Error: Cannot find module '/home/buddy/.openclaw/extensions/wechat-control2/dist/index.js'",
        "    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "agents.entries.bot_1.model must be a string",
        "tokens used: 1234",
        "网关已启动,端口 18789",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert mask_text(text) == text
