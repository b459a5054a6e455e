"""`${NAME}` in the config, as OpenClaw reads it."""

from pathlib import Path

import pytest

from buddy_common.adapters.openclaw_variables import substitute, variables_of
from buddy_common.errors import UnresolvedKeyError

DOTENV = """
# a comment
PLAIN=plain # and why
export EXPORTED=exported
QUOTED="two words # no comment\\nnext"
SINGLE='a\\nb'
EMPTY=
COLON: colon
SHARED=of the file
"""


def test_variables_of_a_dotenv_file_are_read_as_npms_dotenv_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(DOTENV)

    assert variables_of({}, {}, tmp_path) == {
        "PLAIN": "plain",
        "EXPORTED": "exported",
        "QUOTED": "two words # no comment\nnext",
        "SINGLE": "a\\nb",
        "EMPTY": "",
        "COLON": "colon",
        "SHARED": "of the file",
    }


def test_process_goes_before_the_file_and_the_file_before_the_config(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\n")
    config = {"env": {"vars": {"A": "vars", "B": "vars", "C": "vars"}, "D": "direct", "shellEnv": {"x": "y"}}}

    assert variables_of(config, {"A": "process"}, tmp_path) == {
        "A": "process",
        "B": "file",
        "C": "vars",
        "D": "direct",
    }


@pytest.mark.parametrize("env", [None, [], {"vars": None}, {"vars": {"A": 1, "B": " ", "C": "${D}"}}])
def test_what_openclaw_does_not_take_as_a_variable_is_none(env: object, tmp_path: Path) -> None:
    assert variables_of({"env": env}, {}, tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("sk-plain", "sk-plain"),
        ("${KEY}", "sk-1"),
        ("a${KEY}b${OTHER}", "ask-1bo"),
        ("$${KEY}", "${KEY}"),
        ("$KEY ${lower} ${}", "$KEY ${lower} ${}"),
    ],
)
def test_references_are_replaced(text: str, result: str) -> None:
    assert substitute(text, {"KEY": "sk-1", "OTHER": "o"}, where="apiKey") == result


@pytest.mark.parametrize("variables", [{}, {"KEY": ""}])
def test_variable_that_is_not_set_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(UnresolvedKeyError, match="apiKey refers to the variable KEY"):
        substitute("${KEY}", variables, where="apiKey")
