"""The expert templates: each file is one that a bot can be made from, and no two are alike."""

import json
import re
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

import pytest

from api.conftest import Api
from buddy_api.experts import Expert, Experts, Language
from buddy_common.errors import SetupError

FOLDER = Path(__file__).parents[2] / "experts"
FILES = sorted(FOLDER.glob("*.json"))
SCHEMA = FOLDER / "schema" / "expert.schema.json"
LANGUAGES: tuple[Language, ...] = ("zh", "en")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LIKENESS = 0.5
MAX_FILE_CHARACTERS = 20_000  # OpenClaw cuts a workspace file off there


def expert_of(file: Path) -> Expert:
    return Expert.model_validate_json(file.read_bytes())


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 24


def test_the_schema_is_that_of_the_class() -> None:
    """Editors check templates against the file; the class decides what is in it."""
    assert json.loads(SCHEMA.read_text()) == Expert.model_json_schema()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_template_is_whole(file: Path) -> None:
    expert = expert_of(file)

    assert expert.id == file.stem
    for texts in (expert.name, expert.description, expert.identity, expert.soul):
        assert CHINESE.search(texts["zh"])
    assert 20 <= len(expert.description["zh"]) <= 80
    assert 40 <= len(expert.description["en"]) <= 200
    assert 600 <= len(expert.soul["zh"]) <= 4000
    assert 350 <= len(expert.soul["en"].split()) <= 1000
    assert not CHINESE.search(expert.soul["en"].partition("\n")[0])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_openclaw_reads_who_the_bot_is_out_of_its_identity(file: Path, lang: Language) -> None:
    expert = expert_of(file)
    identity, soul = expert.identity[lang], expert.soul[lang]

    named = dict(re.findall(r"^- \*\*(\w+):\*\* (.+)$", identity, re.MULTILINE))
    assert identity.startswith("# IDENTITY\n")
    assert named["Emoji"] == expert.emoji
    assert {"Name", "Creature", "Vibe"} <= set(named)
    assert soul.startswith("# SOUL\n")
    assert soul.count("\n## ") >= 3
    assert max(len(identity), len(soul)) < MAX_FILE_CHARACTERS


def test_no_two_templates_share_an_emoji_or_a_name() -> None:
    experts = [expert_of(file) for file in FILES]

    assert len({expert.emoji for expert in experts}) == len(experts)
    for lang in LANGUAGES:
        assert len({expert.name[lang] for expert in experts}) == len(experts)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_two_templates_are_alike(lang: Language) -> None:
    souls = {file.stem: expert_of(file).soul[lang].splitlines() for file in FILES}

    shared = {
        (one, other): line
        for one, other in combinations(souls, 2)
        for line in set(souls[one]) & set(souls[other])
        if len(line) > 25 or line.startswith("## ")
    }
    alike = [
        (one, other)
        for one, other in combinations(souls, 2)
        if SequenceMatcher(None, souls[one], souls[other], autojunk=False).ratio() > LIKENESS
    ]

    assert shared == {}
    assert alike == []


async def test_the_route_lists_them_in_the_language_that_is_asked_for(api: Api) -> None:
    chinese = (await api.client.get("/v1/openclaw/experts")).json()["data"]
    english = (await api.client.get("/v1/openclaw/experts", params={"lang": "en"})).json()["data"]
    data = (await api.client.get("/v1/openclaw/experts", params={"category": "data"})).json()["data"]

    assert [expert["id"] for expert in chinese] == [expert["id"] for expert in english]
    assert len(chinese) == len(FILES)
    architect = next(expert for expert in english if expert["id"] == "architect")
    assert architect["name"] == architect["names"]["en"] != architect["names"]["zh"]
    assert {expert["category"] for expert in data} == {"data"}


async def test_who_has_the_templates_gets_304(api: Api) -> None:
    tag = (await api.client.get("/v1/openclaw/experts")).headers["ETag"]

    again = await api.client.get("/v1/openclaw/experts", headers={"If-None-Match": tag})

    assert again.status_code == 304


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert Experts.load(tmp_path / "nothing").listing(lang="zh") == []


def test_a_file_that_is_no_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"id": "broken"}')

    with pytest.raises(SetupError, match=r"broken\.json is no expert template"):
        Experts.load(tmp_path)
