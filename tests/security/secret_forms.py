"""The forms in which a config, and a line of text, may hold a secret: one of its own in each."""

import json
from typing import Any
from urllib.parse import quote

from security.planted import Secret, make_secret

_IN_CONFIG = (
    "argument", "joined argument", "header of an argument", "cookie of an argument",
    "variable of an argument", "command", "pass", "dsn", "cookie", "credential", "any word of a variable",
    "connection string",
    "webhook by its name", "webhook by its host", "user of an address", "query", "fragment",
)  # fmt: skip
_IN_ADDRESSES = frozenset(_IN_CONFIG[-5:])
_IN_TEXT = {
    "secretKey in quotes": "secretKey: {json}",
    "privateKey of a document": '{{"privateKey":{json},"port":1}}',
    "encryptKey": "encryptKey={plain}",
    "a variable": "started with DB_PASS={plain} LANG=C",
    "an option": "spawn npx --client-secret {plain} -v",
    "Authorization: Token": "Authorization: Token {plain}",
    "Authorization: Basic": "Authorization: Basic {plain}",
    "Authorization of its own": "Authorization: {plain} and more",
    "Cookie": "Cookie: a=b; sid={plain}; c=d",
    "Set-Cookie": "Set-Cookie: sid={plain}; Path=/; HttpOnly",
    "the user of an address": "cloning https://{url}@host.example.com/x",
    "a parameter of an address": "GET https://host.example.com/x?page=1&sig={url} 403",
    "the path of a webhook": "POST https://hooks.slack.com/services/{url} 404",
}


def config_secrets(*files: str) -> dict[str, Secret]:
    """Make a secret for each form of a config; `files` may have them."""
    return {
        form: make_secret(f"a secret of a config: {form}", *files, odd=form not in _IN_ADDRESSES)
        for form in _IN_CONFIG
    }


def text_secrets(*files: str) -> dict[str, Secret]:
    """Make the same for each form of a text."""
    return {form: make_secret(f"a secret in a text: {form}", *files) for form in _IN_TEXT}


def server_with(secrets: dict[str, Secret]) -> dict[str, Any]:
    """Return a server of tools that has them all."""
    value = {form: secret.value for form, secret in secrets.items()}
    return {
        "command": f"npx x --token={value['command']}",
        "args": [
            "--api-key", value["argument"], f"--client-secret={value['joined argument']}",
            "--header", f"Authorization: Bearer {value['header of an argument']}",
            "-H", f"Cookie: sid={value['cookie of an argument']}",
            "-e", f"DB_PASS={value['variable of an argument']}",
        ],
        "env": {
            "DB_PASS": value["pass"],
            "SENTRY_DSN": value["dsn"],
            "SESSION_COOKIE": value["cookie"],
            "aws-credential": value["credential"],
            "TOKEN_OF_BOT": value["any word of a variable"],
        },
        "connectionString": f"Server=x;Pwd={value['connection string']}",
        "webhookUrl": f"https://my.example.com/in/{value['webhook by its name']}",
        "alerts": [f"https://hooks.slack.com/services/T/B/{value['webhook by its host']}"],
        "url": f"https://user:{value['user of an address']}@host.example.com:8443/x?page=1",
        "feed": f"https://host.example.com/x?access_token={value['query']}#token={value['fragment']}",
    }  # fmt: skip


def lines_with(secrets: dict[str, Secret]) -> list[str]:
    """Return lines of text that say them all."""
    return [
        _IN_TEXT[form].format(
            plain=secret.value, json=json.dumps(secret.value), url=quote(secret.value, safe="")
        )
        for form, secret in secrets.items()
    ]
