"""Backups of `openclaw.json` as clients see them; secrets are masked everywhere."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from buddy_common.schemas.backups import BackupReason

_HASH = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
_ROW: dict[str, Any] = {
    "name": "openclaw-20260328-100000-5f70bf18.bak",
    "hash": _HASH,
    "size": 2110,
    "reason": "before change",
    "createdAt": "2026-03-28T10:00:00Z",
    "taskID": "task-1774656000-9f3c1a7e",
    "files": ["openclaw.json"],
}
_CURRENT: dict[str, Any] = {"hash": _HASH, "size": 2110, "updatedAt": "2026-03-28T10:00:00Z"}
_CHANGE: dict[str, Any] = {
    "file": "openclaw.json",
    "path": "models.providers.x.models[id=gpt].name",
    "op": "replace",
    "old": "GPT",
    "new": "GPT 5",
    "secret": False,
}


class BackupRow(BaseModel):
    """One backup; `hash` is what `If-Match` takes, `size` that of openclaw.json itself."""

    model_config = ConfigDict(json_schema_extra={"example": _ROW})

    name: str
    hash: str
    size: int
    reason: BackupReason
    createdAt: datetime  # noqa: N815 - the guide's style
    taskID: str | None = Field(description="The task that made it")  # noqa: N815 - the guide's name
    files: list[str] = Field(description="openclaw.json and the files that it included")


class CurrentConfig(BaseModel):
    """The openclaw.json that is there now."""

    model_config = ConfigDict(json_schema_extra={"example": _CURRENT})

    hash: str = Field(description="What `If-Match` takes; it covers the included files as well")
    size: int
    updatedAt: datetime  # noqa: N815 - the guide's style


class Backups(BaseModel):
    """A page of backups, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"backups": [_ROW], "total": 1, "more": False, "current": _CURRENT}}
    )

    backups: list[BackupRow]
    total: int
    more: bool = Field(description="Whether there are older ones: page on with `before`")
    current: CurrentConfig | None = Field(description="null: there is no openclaw.json")


class BackupFile(BaseModel):
    """One file of a backup as indented JSON, its secrets masked; null where they cannot be."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "file": "openclaw.json",
                "size": 2110,
                "content": '{\n  "gateway": {\n    "mode": "local"\n  }\n}',
                "problem": None,
            }
        }
    )

    file: str
    size: int
    content: str | None
    problem: str | None = Field(description="Why there is no content")


class BackupContent(BackupRow):
    """A backup with what is in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_ROW,
                "contents": [
                    {"file": "openclaw.json", "size": 2110, "content": "{}", "problem": None},
                ],
            }
        }
    )

    contents: list[BackupFile]


class BackupChange(BaseModel):
    """One place that differs, in a file of the config."""

    model_config = ConfigDict(json_schema_extra={"example": _CHANGE})

    file: str
    path: str
    op: Literal["add", "remove", "replace"]
    old: Any = None
    new: Any = None
    secret: bool = Field(description="The value is masked: it may differ although it looks the same")


class DiffStats(BaseModel):
    """How many places differ."""

    model_config = ConfigDict(json_schema_extra={"example": {"added": 0, "removed": 0, "changed": 1}})

    added: int
    removed: int
    changed: int


class BackupDiff(BaseModel):
    """What has changed since a backup."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": _ROW["name"],
                "against": "current",
                "identical": False,
                "diff": '--- a\n+++ b\n@@ -1 +1 @@\n-  "name": "GPT"\n+  "name": "GPT 5"',
                "stats": {"added": 0, "removed": 0, "changed": 1},
                "changes": [_CHANGE],
                "problem": None,
            }
        }
    )

    name: str
    against: str
    identical: bool = Field(description="To the byte, in all files")
    diff: str = Field(description="Unified text; comments and the order of keys are not in it")
    stats: DiffStats
    changes: list[BackupChange]
    problem: str | None = Field(description="Why a file, such as one that is no JSON5, is not compared")
