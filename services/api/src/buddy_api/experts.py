"""The expert templates: one JSON file each, read once when the process starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from buddy_common.errors import SetupError, UnknownExpertError

Language = Literal["zh", "en"]
Category = Literal["engineering", "data", "business", "writing", "education", "life", "operations", "design"]


class Texts(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def __getitem__(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


class Expert(BaseModel):
    """A template as its file has it, every text in Chinese and in English."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    emoji: str
    category: Category
    tags: list[str] = Field(min_length=2, max_length=5)
    name: Texts
    description: Texts
    identity: Texts = Field(description="IDENTITY.md of the bot")
    soul: Texts = Field(description="SOUL.md of the bot")


class ExpertView(BaseModel):
    """A template in one language; `names` has all."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "architect",
                "name": "软件架构师",
                "description": "为系统划分边界、权衡取舍，并把决定写成可复查的记录。",
                "emoji": "🏗️",
                "category": "engineering",
                "tags": ["architecture", "design"],
                "names": {"zh": "软件架构师", "en": "Software Architect"},
                "identity": "# IDENTITY\n…",
                "soul": "# SOUL\n…",
            }
        }
    )

    id: str
    name: str
    description: str
    emoji: str
    category: str
    tags: list[str]
    names: Mapping[Language, str]
    identity: str
    soul: str


class Experts:
    """All templates of a folder."""

    def __init__(self, experts: list[Expert]) -> None:
        self._experts = experts

    @classmethod
    def load(cls, folder: Path) -> "Experts":
        """Read the folder; a missing one holds none.

        Raises:
            SetupError: a file is no template.
        """
        found = []
        for file in sorted(folder.glob("*.json")):
            try:
                found.append(Expert.model_validate_json(file.read_bytes()))
            except (OSError, ValidationError) as exc:
                raise SetupError(f"{file} is no expert template: {exc}") from exc
        return cls(sorted(found, key=lambda expert: (expert.category, expert.id)))

    def get(self, expert_id: str) -> Expert:
        """Return one template.

        Raises:
            UnknownExpertError: there is none of this id.
        """
        for expert in self._experts:
            if expert.id == expert_id:
                return expert
        raise UnknownExpertError(expert_id)

    def listing(self, *, lang: Language, category: str | None = None) -> list[ExpertView]:
        """Return the templates of a category, or all, with their texts in one language."""
        return [
            ExpertView(
                id=expert.id,
                name=expert.name[lang],
                description=expert.description[lang],
                emoji=expert.emoji,
                category=expert.category,
                tags=expert.tags,
                names={"zh": expert.name.zh, "en": expert.name.en},
                identity=expert.identity[lang],
                soul=expert.soul[lang],
            )
            for expert in self._experts
            if category in (None, expert.category)
        ]
