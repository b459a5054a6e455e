"""What looks like a secret is masked in any text, and what people need to read is not."""

import pytest

from buddy_common.address_mask import mask_addresses
from buddy_common.argument_mask import mask_argument
from buddy_common.text_mask import mask_all, mask_output, mask_text


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
        ('secretKey: "abc123def456"', "abc123def456"),
        ("encryptKey=abcdef123456", "abcdef123456"),
        ('"privateKey":"shortkey1"', "shortkey1"),
        ('"privateKey": "-----BEGIN PRIVATE KEY-----\\nMIIE/+x"', "MIIE/+x"),
        ("DB_PASS=hunter2", "hunter2"),
        ("export OPENAI_KEY=a1", "a1"),
        ('{"dbPass":"pa ss, word"}', "word"),
        ('{"token":"pl\\"abcdef/+&xyz=","x":1}', "abcdef"),
        ('{\\"apiKey\\":\\"short-key-1\\",\\"x\\":1}', "short-key-1"),
        ('DB_PASS=pl"abcdef/+&xyz= next', "abcdef"),
        ("token: 'never closed", "never closed"),
        ("sentryDsn: https://key@host.example.com/1", "key@"),
        ("connectionString=Server=x;Pwd=hunter2", "hunter2"),
        ("Authorization: Token abcdefgh", "abcdefgh"),
        ("Authorization: hunter2 and more", "hunter2"),
        ("Authorization: Digest username=u, response=hunter2", "hunter2"),
        ('curl -H "Proxy-Authorization: hunter2 x" https://host', "hunter2"),
        ('{"headers":{"authorization":"Token abcdefgh"}}', "abcdefgh"),
        ("Cookie: a=b; sid=topsecret1", "topsecret1"),
        ("Cookie: a=b; sid=topsecret1", "a=b"),
        ('Cookie: a="b"; sid=topsecret1', "topsecret1"),
        ("Set-Cookie: sid=topsecret1; Path=/; HttpOnly", "topsecret1"),
        ("{ headers: { Cookie: 'a=b; sid=topsecret1', Host: 'h' } }", "topsecret1"),
        ('curl -H "Cookie: a=b; sid=topsecret1" https://host', "topsecret1"),
        ("cloning https://hunter2@github.com/x/y", "hunter2"),
        ('fetch https://user:pl"abc/+&x=@host.example.com/y failed', "abc/+&x="),
        ("https://host/x?sig=abc&x=y", "abc"),
        ("https://host/x?access_token=abc", "abc"),
        ("POST https://hooks.slack.com/services/T0/B0/XXXX 404", "XXXX"),
        ("POST https://discord.com/api/webhooks/1/hunter2 404", "hunter2"),
        ("POST https://open.feishu.cn/open-apis/bot/v2/hook/hunter2 404", "hunter2"),
        ("POST https://oapi.dingtalk.com/robot/send?access_token=hunter2", "hunter2"),
        ("POST https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hunter2", "hunter2"),
        ("POST https://api.telegram.org/bot1:hunter2/sendMessage 404", "hunter2"),
        ("running npx --token hunter2 -v", "hunter2"),
        ("spawnargs: [ '-y', '--api-key', 'hunter2' ]", "hunter2"),
        ('["--api-key",\n  "hunter2"]', "hunter2"),
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
        "maxTokens: 819200, tokenLimit: 123456",
        'Config invalid: gateway: Unrecognized key: "noSuchKey"',
        'sessionKey: "agent:main:main"',
        "Pass --token explicitly, or set apiKey: ${OPENAI_API_KEY}",
        "bypass=everything passive: whatever compass=northern monkey=bananas",
        "https://open.feishu.cn/document/x?lang=zh",
        "GET http://127.0.0.1:18789/scope/x?page=2",
        "网关已启动,端口 18789",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Token abcdefgh was refused", "Authorization: Token … was refused"),
        ('{"msg":"Cookie: a=b; sid=topsecret1","time":5}', '{"msg":"Cookie: …","time":5}'),
        ('{"msg":"token=abcdef1","time":5}', '{"msg":"token=…","time":5}'),
        ("wss://host/?sig=abcdefg&page=2", "wss://host/?sig=…&page=2"),
        ("POST https://hooks.slack.com/services/T0/B0/XXXX 404", "POST https://hooks.slack.com/… 404"),
        ("redis://user:pa55word@host:6379/0 gone", "redis://…@host:6379/0 gone"),
        ('DB_PASS=abc LANG=C "secretKey": "x", "port": 1', 'DB_PASS=… LANG=C "secretKey": "…", "port": 1'),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_what_has_a_telling_name_in_a_document_is_masked_whole() -> None:
    found = mask_all(
        {"password": "two words", "rows": [{"apiKeys": ["short"]}], "pid": 7, "name": "two words"}
    )

    assert found == {"password": "…", "rows": [{"apiKeys": ["…"]}], "pid": 7, "name": "two words"}


LINE = 1_000_000


@pytest.mark.parametrize(
    ("part", "length"),
    [
        *((part, LINE) for part in ("a", "token:", "Cookie:")),
        *(
            (part, LINE // 10)
            for part in ("a-", "token ", 'token: "', "token:\\\\", " ", '"', "sk", "--token ", "1:")
        ),
        *((part, LINE // 20) for part in ("://", "a://b", "://a:b/@", "?a", "&a=", "--a='", "${A}")),
    ],
)
def test_a_long_line_is_read_in_one_go(part: str, length: int) -> None:
    """No pattern repeats what repeats: one that did would take minutes here."""
    line = part * (length // len(part))

    assert mask_text(f"{line}\nsid=1 secretKey=abcdef") == mask_text(line) + "\nsid=1 secretKey=…"
    assert mask_addresses(f"://{line}", every_value=True)
    assert mask_argument(line)


@pytest.mark.parametrize(
    "text",
    [
        "skills.entries.github.enabled",
        "/srv/openclaw/skills/skill-creator-long/SKILL.md",
        "What was there is in the backup openclaw-20261126-193004-c0f3a961.bak.",
        "task-1795721121-c7f989cd11a9",
        "3b6f1f5b0a9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2918",
        "gateway.auth.token: Invalid input: expected string",
        'models: null → {"apiKey": "sk-…ghij", "token": "…"}',
        "https://registry.example/@x%2fy 34ms (cache hit)",
    ],
)
def test_what_clients_read_and_use_stays_whole(text: str) -> None:
    assert mask_output(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "token: hunter22-hunter22",
        "OPENAI_API_KEY=qwertyuiop",
        '{"apiKey":"short-key-1"}',
        "openclaw gateway run --token abc123def456",
        "POST https://api.telegram.org/bot123456789:AAFabcdefghijklmnopqrstu/getMe 404",
        "github ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "key AIzaSyA1234567890abcdefghijk",
    ],
)
def test_what_a_program_tells_of_secrets_is_masked_in_output(text: str) -> None:
    assert "\u2026" in mask_output(text)
