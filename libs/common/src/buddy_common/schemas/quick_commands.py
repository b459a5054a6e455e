"""A quick command of the chat: as clients see it, and as they ask for a new one."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

_EXAMPLE: dict[str, JsonValue] = {
    "label": "每日站会",
    "prompt": "请列出昨天的进展、今天的计划和遇到的阻碍。",
    "icon": "☀️",
}


def _without_nul(text: str) -> str:
    if "\x00" in text:  # PostgreSQL keeps none
        raise ValueError("leave out the NUL character")
    return text


def _text(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


class NewQuickCommand(BaseModel):
    """A command that somebody wants to have."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": _EXAMPLE})

    label: Annotated[str, _text(64), AfterValidator(_without_nul)]
    prompt: Annotated[str, _text(4000), AfterValidator(_without_nul)]
    icon: Annotated[str, _text(64), AfterValidator(_without_nul)] | None = None


class QuickCommandView(BaseModel):
    """A prompt that is one click away; a `system` one stays."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {"id": 9, **_EXAMPLE, "system": False, "createdAt": "2026-03-28T10:00:00.120Z"}
        },
    )

    id: int
    label: str
    prompt: str
    icon: str | None
    system: bool = Field(description="Brought along by Buddy; it cannot be deleted")
    createdAt: datetime  # noqa: N815 - the guide's style
