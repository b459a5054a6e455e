"""`python -m buddy_api.reference FILE`: writes the API reference from the OpenAPI document."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from buddy_api.app import create_app
from buddy_api.config import ApiConfig
from buddy_common.settings import (
    AuthSettings,
    BrokerSettings,
    DatabaseSettings,
    HomeSettings,
    WebSettings,
    WechatSettings,
)

_BESIDE = """\
## Not in the document

OpenAPI knows no WebSockets, and pages are no API. All but `/login`, `/wechat` and the assets of `/docs` ask
for the token; a browser, which can send no header with a WebSocket, brings its cookie, or a ticket: `POST
/v1/auth/ticket`, then `?ticket=…`.

- WebSocket `/v1/ws/logs`: lines of a log; `source=buddy` or `gateway`, `history_lines` up to 5,000. First a
  frame `{"type": "LOG_HISTORY", "lines": […]}`, then a frame for each line.
- WebSocket `/v1/ws/tui`: OpenClaw's own terminal program. What is sent is typed, but for
  `{"type": "resize", "cols": …, "rows": …}`.
- WebSocket `/v1/ws/shell`: the same with a list of maintenance commands.
- `/v1/proxy/…`, HTTP and WebSocket: the gateway's own panel, signed in.
- `GET /login`, `/wechat`, `/docs` and `/openapi.json`: the pages to sign in and to bind WeChat, Swagger UI,
  the document.
"""
_HEAD = """\
# API

Written by `make docs` from the OpenAPI document, which a running Buddy serves at `/openapi.json` and shows at
`/docs`.

Every answer but a chat's is `{"code": …, "message": …, "data": …}`; what is said of an answer below is said
of its `data`. A failure has `data.error`, a word for programs, and `message`, a sentence for people. Where
nothing else is said, a route asks for the token: `Authorization: Bearer …`, or the cookie that `POST /login`
gives.
An address that is wrong too often gets 429 (`too_many_attempts`) instead of 401; who has the token gets in.

| parameter of many routes | in | is |
|---|---|---|
"""
# explained once; a route only names them
_COMMON = {
    "node": ("query", "The node that is meant; the only one, or `BUDDY_DEFAULT_NODE`, where it is left out"),
    "X-Buddy-Node": ("header", "The same"),
    "refresh": ("query", "`true`: wait for what is true from now on, instead of what was seen last"),
    "Idempotency-Key": ("header", "A repeat with the same key returns the first task"),
    "Prefer": ("header", "`respond-async`: answer 202 at once instead of waiting for the outcome"),
    "If-Match": ("header", "The `hash` or `ETag` that the change was made for; another one is refused"),
    "If-None-Match": ("header", "The `ETag` of an earlier answer; 304 if it is still the same"),
}
_SPELLING = {name.lower(): name for name in _COMMON}
_NOT_SHAPES = ("Envelope", "Problem")


def reference(document: dict[str, Any]) -> str:
    """Return the reference as Markdown."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    common = (f"| `{name}` | {where} | {text} |\n" for name, (where, text) in _COMMON.items())
    routes: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            text = _route(f"{method.upper()} {path}", operation, schemas)
            routes.setdefault(operation["tags"][0], []).append(text)
    parts = [_HEAD + "".join(common)]
    for tag in sorted(routes):
        parts += [f"## {tag}\n", *routes[tag]]
    shapes = (name for name in sorted(schemas) if not name.startswith(_NOT_SHAPES))
    parts += [_BESIDE, "## Shapes\n", *(_shape(name, schemas[name]) for name in shapes)]
    return "\n".join(parts)


def _route(title: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    lines = [f"### `{title}`", "", operation.get("description", operation["summary"]), ""]
    if "security" not in operation:
        lines += ["Needs no token.", ""]
    own: list[dict[str, Any]] = []
    common: list[str] = []
    for parameter in operation.get("parameters", []):
        name = _SPELLING.get(parameter["name"].lower())
        if name is None:
            own.append(parameter)
        else:
            common.append(f"`{name}`")
    if own:
        lines += ["| parameter | in | type | is |", "|---|---|---|---|"]
        lines += [
            f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | {_about(each['schema'])} |"
            for each in own
        ]
        lines.append("")
    if common:
        lines += [f"Also: {', '.join(sorted(common))}.", ""]
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        lines += [f"Body: {_type(content['schema'])}.", ""]
    lines += [_answer(code, answer, schemas) for code, answer in sorted(operation["responses"].items())]
    return "\n".join([*lines, ""])


def _answer(code: str, answer: dict[str, Any], schemas: dict[str, Any]) -> str:
    text: str = answer["description"]
    if int(code) >= 300 or "content" not in answer:  # noqa: PLR2004 - an HTTP status
        return f"- {code}: {text}"
    kinds = [_content(media_type, content, schemas) for media_type, content in answer["content"].items()]
    said = "" if text == "Successful Response" or "`" in kinds[0] else f". {text}"
    return f"- {code}: {' or '.join(kinds)}{said}"


def _content(media_type: str, content: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return what a good answer holds: the shape of its `data`, that of the whole, or its media type."""
    schema = content.get("schema", {})
    if "$ref" not in schema:
        return f"`{media_type}`"
    if not _name(schema).startswith("Envelope"):
        return _type(schema)
    return _type(schemas[_name(schema)]["properties"]["data"]).removesuffix(" or null")


def _shape(name: str, schema: dict[str, Any]) -> str:
    lines = [f"### {name}", ""]
    if "description" in schema:
        lines += [schema["description"], ""]
    if "enum" in schema:
        lines += [f"One of {_type(schema)}.", ""]
    if "properties" in schema:
        lines += ["| field | type | is |", "|---|---|---|", *_fields(schema), ""]
    if "example" in schema:
        lines += ["```json", json.dumps(schema["example"], ensure_ascii=False, indent=2), "```", ""]
    return "\n".join(lines)


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        left_out = "" if name in required or "default" in field else "; may be left out"
        yield f"| `{name}` | {_type(field)}{left_out} | {_about(field)} |"


def _about(schema: dict[str, Any]) -> str:
    text = schema.get("description", "").replace("\n", " ").replace("|", "\\|")
    default = schema.get("default")
    shown = "" if default is None else f"default `{json.dumps(default, ensure_ascii=False)}`"
    return "; ".join(part for part in (text, shown) if part)


def _type(schema: dict[str, Any]) -> str:
    """Return the type in words; a shape is a link."""
    if "$ref" in schema:
        name = _name(schema)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_once(_type(choice) for choice in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", "anything"))


def _once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def document() -> dict[str, Any]:
    """Return the OpenAPI document of an api that is connected to nothing."""
    config = ApiConfig(
        home=HomeSettings(),
        auth=AuthSettings(token=SecretStr("no-server-is-started-with-it")),
        web=WebSettings(),
        wechat=WechatSettings(),
        broker=BrokerSettings(url=SecretStr("redis://127.0.0.1:6379/0")),
        database=DatabaseSettings(url=SecretStr("sqlite://")),
    )
    return create_app(config).openapi()


def main() -> None:
    """Write the file that is named on the command line."""
    Path(sys.argv[1]).write_text(reference(document()), encoding="utf-8")


if __name__ == "__main__":
    main()
