"""The config at a moment: read anew when it has changed, judged by the gateway that runs on it."""

from pathlib import Path

import pytest

from buddy_watchdog.config_look import ConfigLooker, judged_by_gateway
from buddy_watchdog.evidence import ConfigLook


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "openclaw.json"
    path.write_text('{gateway: {mode: "local"}, // a comment\n}')
    return path


def test_a_sound_file_has_a_hash_and_no_problem(file: Path) -> None:
    looker = ConfigLooker(file)

    look = looker.look()

    assert look.hash is not None
    assert look.problem is None
    assert looker.config == {"gateway": {"mode": "local"}}


@pytest.mark.parametrize("content", ["", "{", "[]", None])
def test_a_file_that_openclaw_cannot_read_is_a_problem_and_the_last_good_one_is_remembered(
    file: Path, content: str | None
) -> None:
    looker = ConfigLooker(file)
    looker.look()
    file.unlink() if content is None else file.write_text(content)

    look = looker.look()

    assert look.problem is not None
    assert looker.config == {"gateway": {"mode": "local"}}


def test_a_part_that_changes_is_seen(file: Path) -> None:
    part = file.with_name("agents.json")
    part.write_text("{}")
    file.write_text('{"agents": {"$include": "agents.json"}}')
    looker = ConfigLooker(file)
    before = looker.look()
    part.write_text('{"defaults": {}}')

    assert looker.look().hash != before.hash


def test_a_file_that_did_not_change_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = ConfigLooker(file)
    before = looker.look()

    def explode(_self: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("buddy_common.adapters.config_files.ConfigFiles.read", explode)

    assert looker.look() == before


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"valid": True}, ConfigLook("h")),
        ({"valid": True, "appliedConfigHash": "a", "configRevisionHash": "a"}, ConfigLook("h")),
        ({"valid": True, "config": {"gateway": {"reload": {"mode": "hybrid"}}}}, ConfigLook("h")),
        (
            {"valid": True, "config": {"gateway": {"reload": {"mode": "off"}}}},
            ConfigLook("h", reloads=False),
        ),
        (
            {"valid": True, "appliedConfigHash": "a", "configRevisionHash": "b"},
            ConfigLook("h", applied=False),
        ),
        (
            {"valid": False, "issues": [{"path": "agents", "message": "Unrecognized key"}]},
            ConfigLook("h", "agents: Unrecognized key", applied=False),
        ),
        ({"valid": False}, ConfigLook("h", "OpenClaw does not take it", applied=False)),
    ],
)
def test_the_gateway_says_whether_it_would_take_the_file(
    answer: dict[str, object], expected: ConfigLook
) -> None:
    assert judged_by_gateway(ConfigLook("h"), answer) == expected
