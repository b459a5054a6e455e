"""The shapes of chat completions, as OpenAI has them; the gateway of the node reads and writes them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import models_json_schema

from buddy_common.errors import BuddyError

_REFERENCE = "#/components/schemas/{model}"
_ASKED: dict[str, JsonValue] = {"role": "user", "content": "你好"}
_SAID: dict[str, JsonValue] = {"role": "assistant", "content": "你好！有什么可以帮你？"}
EVENTS = """\
data: {"id": "chatcmpl_5f1c", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "你好"}}]}

: the gateway is still at work

data: [DONE]
"""


class ChatMessage(BaseModel):
    """What one side said; `content` is a text, or parts in OpenAI's way."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": _ASKED})

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatRequest(BaseModel):
    """A chat as OpenAI's clients send it; all other fields go on to the gateway as they are."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"example": {"model": "openclaw/main", "messages": [_ASKED], "stream": True}},
    )

    model: str | None = Field(
        default=None,
        description="`openclaw/<bot>`; without it, or with one that is none of OpenClaw's, the default bot",
    )
    messages: list[ChatMessage]
    stream: bool = Field(default=False, description="Answer by events, as the words come")
    user: str | None = Field(default=None, description="Chats of one user share a session")


class ChatChoice(BaseModel):
    """An answer; there is one."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"example": {"index": 0, "message": _SAID, "finish_reason": "stop"}}
    )

    index: int
    message: ChatMessage
    finish_reason: str | None = None


class ChatCompletion(BaseModel):
    """The answer to a chat that is not streamed, as the gateway gives it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "id": "chatcmpl_5f1c",
                "object": "chat.completion",
                "created": 1774656000,
                "model": "openclaw/main",
                "choices": [{"index": 0, "message": _SAID, "finish_reason": "stop"}],
            }
        },
    )

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]


class ChatError(BaseModel):
    """What went wrong; `code` is the slug of Buddy's own failures, and may be missing in the gateway's."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {"message": "…", "type": "server_error", "code": "gateway_unreachable"}
        },
    )

    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None


class ChatFailure(BaseModel):
    """A failure as clients of OpenAI read it; in a stream it is the last event before `[DONE]`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"error": {"message": "…", "type": "server_error", "code": "gateway_unreachable"}}
        }
    )

    error: ChatError


def shapes() -> dict[str, Any]:
    """Return the components of OpenAPI that are named here, for no route of FastAPI's has them as its own."""
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (model, "validation") for model in (ChatRequest, ChatCompletion, ChatFailure)
    ]
    _, found = models_json_schema(models, ref_template=_REFERENCE)
    defined: dict[str, Any] = found["$defs"]
    return defined


def reference_to(model: type[BaseModel]) -> dict[str, str]:
    """Return the schema that points at one of them."""
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def chat_problems(*errors: type[BuddyError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's `responses` for these failures of a chat, grouped by status."""
    slugs: dict[int, list[str]] = {}
    for error in errors:
        slugs.setdefault(int(error.status), []).append(error.error)
    return {
        status: {
            "description": " or ".join(f"`{slug}`" for slug in dict.fromkeys(names)),
            "content": {"application/json": {"schema": reference_to(ChatFailure)}},
        }
        for status, names in slugs.items()
    }
