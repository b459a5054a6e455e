"""What the documents name is there: variables, routes, files, and links to each other."""

import re
from pathlib import Path

import pytest

from buddy_api import reference
from buddy_common.settings import ALL_SETTINGS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md"))
    if path.name != "CHANGELOG.md"
)
# of docker-compose.yml, its build and its containers; not settings of a service
COMPOSE = {"BUDDY_PUBLISH", "BUDDY_FRONT", "BUDDY_IMAGES"}
_VARIABLE = re.compile(r"\bBUDDY_[A-Z0-9_]+\b")
_ROUTE = re.compile(r"\b(GET|POST|DELETE) (/v1/[A-Za-z0-9/{}_.-]*[A-Za-z0-9}])")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

each_document = pytest.mark.parametrize("name", DOCUMENTS)


def known_variables() -> set[str]:
    names = {
        str(name)
        for settings in ALL_SETTINGS
        for field in settings.model_fields.values()
        for name in getattr(field.validation_alias, "choices", [])
    }
    return names | COMPOSE | set(_VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))


@each_document
def test_each_variable_is_a_setting(name: str) -> None:
    assert set(_VARIABLE.findall((ROOT / name).read_text())) - known_variables() == set()


@each_document
def test_each_route_is_served(name: str) -> None:
    if name == "docs/api.md":  # it is written from the routes
        return
    paths = reference.document()["paths"]
    served = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path)) for path, ways in paths.items() for method in ways
    }
    named = {
        (method, re.sub(r"\{[^}]*\}", "{}", path))
        for method, path in _ROUTE.findall((ROOT / name).read_text())
    }

    assert named - served == set()


@each_document
def test_each_link_leads_somewhere(name: str) -> None:
    path = ROOT / name
    broken = [link for link in _LINK.findall(path.read_text()) if not (path.parent / link).exists()]

    assert broken == []
