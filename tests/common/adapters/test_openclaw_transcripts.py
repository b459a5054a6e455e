"""What both generations really said on the command line, and what we make of it."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.openclaw_cli import OpenClawCli, find_json, require_success
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import OpenClawCliError
from buddy_common.schemas.processes import ProcessIdentity
from buddy_common.settings import GatewaySettings, OpenClawSettings

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
NEW, OLD = "2026.9.6", "2026.3.28"
PROGRAM = """#!/bin/sh
if [ "$1" = --version ]; then echo "OpenClaw {version} (abc1234)"; exit 0; fi
cat {folder}/stdout
cat {folder}/stderr >&2
exit {code}
"""


@dataclass(frozen=True)
class Recorded:
    """One command that was really run."""

    case: str
    command: str
    exit: int
    stdout: str
    stderr: str

    @property
    def words(self) -> list[str]:
        """The command without its values and options."""
        return list(takewhile(str.isalpha, shlex.split(self.command)[1:]))


Replay = Callable[[str, str], Any]


def recorded(version: str) -> dict[str, Recorded]:
    cases = json.loads((TRANSCRIPTS / f"cli-{version}.json").read_text())
    return {case["case"]: Recorded(**case) for case in cases}


RECORDED = {version: recorded(version) for version in (NEW, OLD)}


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Run a program that says what OpenClaw said, and return its answer."""

    async def play(version: str, case: str) -> Any:
        said = RECORDED[version][case]
        program = tmp_path / "openclaw"
        (tmp_path / "stdout").write_text(said.stdout)
        (tmp_path / "stderr").write_text(said.stderr)
        quoted = shlex.quote(str(tmp_path))
        program.write_text(PROGRAM.format(folder=quoted, version=version, code=said.exit))
        program.chmod(0o755)
        openclaw = HostOpenClaw(OpenClawSettings(program=program), tmp_path / "runtime")
        cli = OpenClawCli(openclaw, GatewaySettings(config_dir=tmp_path), folder=tmp_path / "empty")
        answer = find_json(await cli.run(said.words, on_started=nothing_to_record))
        require_success(answer)
        return answer

    return play


async def nothing_to_record(_process: ProcessIdentity) -> None:
    """Nobody else looks at the process."""


def ids(answer: Any) -> Any:
    return [row["id"] for row in answer]


def models(answer: Any) -> Any:
    return [(row["key"], row["name"]) for row in answer["models"]]


def skills(answer: Any) -> Any:
    return [row["name"] for row in answer["skills"]]


def plugins(answer: Any) -> Any:
    return [(row["id"], row["status"], row["enabled"]) for row in answer["plugins"]]


def sessions(answer: Any) -> Any:
    return [(row["key"], row["agentId"], row["totalTokens"]) for row in answer["sessions"]]


def valid(answer: Any) -> Any:
    return answer["valid"]


BOTH_SESSIONS = [("agent:bot_1:main", "bot_1", 123), ("agent:main:main", "main", 123)]
ANSWERS: dict[tuple[str, str], tuple[Callable[[Any], Any], Any]] = {
    (NEW, "agents list"): (ids, ["main"]),  # a coloured log line on stderr
    (OLD, "agents list"): (ids, ["main"]),
    (NEW, "models list"): (models, [("mock/mock-1", "Mock One"), ("mock/mock-2", "Mock Two")]),
    (OLD, "models list"): (models, [("mock/mock-1", "Mock One")]),  # a coloured log line before it
    (NEW, "skills list"): (skills, ["1password", "add-model-provider"]),
    (OLD, "skills list"): (skills, ["1password", "apple-notes"]),  # on stderr
    (NEW, "plugins list"): (
        plugins,
        [("a2a", "disabled", False), ("telegram", "disabled", False), ("openclaw-weixin", "loaded", True)],
    ),
    (OLD, "plugins list"): (
        plugins,
        [("acpx", "disabled", False), ("telegram", "disabled", False), ("openclaw-weixin", "loaded", True)],
    ),
    (NEW, "sessions"): (sessions, BOTH_SESSIONS),
    (OLD, "sessions"): (sessions, BOTH_SESSIONS),  # a coloured log line after it
    (NEW, "config validate"): (valid, True),
    (OLD, "config validate"): (valid, True),
}


@pytest.mark.parametrize(
    ("version", "case", "pick", "expected"),
    [(*key, *wanted) for key, wanted in ANSWERS.items()],
    ids=[" ".join(key) for key in ANSWERS],
)
async def test_answer_is_found_whatever_stands_around_it(
    replay: Replay, version: str, case: str, pick: Callable[[Any], Any], expected: Any
) -> None:
    assert pick(await replay(version, case)) == expected


JSON5 = "<root>: JSON5 parse failed: SyntaxError: JSON5: invalid end of input at 2:1"
KEYS = 'agents.defaults: Unrecognized key: "nope"; <root>: Unrecognized key: "foo"'
INVALID = "OpenClaw config is invalid: ~/.openclaw/openclaw.json; "
WHOSE = "Multiple agents are configured, but the skills command has no explicit owner. Pass --agent <id>."
SKIPPED = (
    "service management skipped: non-default state dir or config path. Rerun with HOME set to the OS account"
    " home, without OPENCLAW_HOME, and with OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH either unset or"
    " pointing at the canonical paths for that account home and profile to start the gateway."
)
REASONS = {
    (NEW, "skills list of nobody"): WHOSE,
    (OLD, "skills list of somebody"): "error: unknown option '--agent'",
    (NEW, "skills info unknown"): 'Skill "no-such-skill" not found.',
    (NEW, "sessions of unknown agent"): (
        'Unknown agent id "ghost". Run openclaw agents list to see configured agents.'
    ),
    (OLD, "sessions of unknown agent"): (
        'Unknown agent id "ghost". Use "openclaw agents list" to see configured agents.'
    ),
    (NEW, "config validate broken"): INVALID + JSON5,
    (OLD, "config validate broken"): JSON5,
    (NEW, "config validate unknown key"): INVALID + KEYS,
    (OLD, "config validate unknown key"): KEYS,
    (NEW, "config validate no file"): "file not found",
    (OLD, "config validate no file"): "file not found",
    (NEW, "agents list with unknown key"): INVALID + KEYS,
    (OLD, "agents list with unknown key"): (
        'File: ~/.openclaw/openclaw.json\nProblem:\n- agents.defaults: Unrecognized key: "nope"\n'
        '- <root>: Unrecognized key: "foo"\nRun: openclaw doctor --fix'
    ),
    (NEW, "gateway start without systemd"): SKIPPED,
    (NEW, "gateway start without systemd, for people"): SKIPPED,  # boxes on stdout
    (OLD, "gateway install without systemd"): (
        "Gateway install failed: Error: systemctl not available; systemd user services are required on Linux."
    ),
    (NEW, "health down"): "Gateway not reachable after waiting 60 s.",
    (OLD, "health down"): (  # and ten lines of a stack trace
        "Error: gateway closed (1006 abnormal closure (no close frame)): no close reason\n"
        "Gateway target: ws://127.0.0.1:18890\nSource: local loopback\n"
        "Config: /home/user/.openclaw/openclaw.json\nBind: loopback"
    ),
    (NEW, "agents add duplicate"): 'Agent "bot_1" already exists.',
    (OLD, "agents add duplicate"): 'Agent "bot_1" already exists.',
    (NEW, "plugins uninstall without --force"): (
        "Error: plugins uninstall requires confirmation input. Re-run in an interactive TTY or pass --force."
    ),
    (OLD, "plugins update of nothing"): "Provide a plugin or hook-pack id, or use --all.",  # boxes on stdout
}


@pytest.mark.parametrize(
    ("version", "case", "reason"),
    [(*key, reason) for key, reason in REASONS.items()],
    ids=[" ".join(key) for key in REASONS],
)
async def test_failure_is_told_with_openclaws_own_reason(
    replay: Replay, version: str, case: str, reason: str
) -> None:
    said = RECORDED[version][case]

    with pytest.raises(OpenClawCliError) as failure:
        await replay(version, case)

    command = " ".join(said.words)
    assert failure.value.message == f"`openclaw {command}` failed (exit code {said.exit}): {reason}"
    assert failure.value.detail == {"exit_code": said.exit, "signal": None}


FALSE_SUCCESSES = {
    "skills info unknown": "OpenClaw did not do it: not found",
    "gateway start without systemd": "OpenClaw did not do it: Gateway service disabled.",
    # it asked a person, who was not there, and left everything as it was
    "plugins uninstall without --force": "OpenClaw's answer holds no JSON.",
}


@pytest.mark.parametrize(("case", "reason"), FALSE_SUCCESSES.items(), ids=FALSE_SUCCESSES.keys())
async def test_failure_of_the_old_generation_that_exits_with_0_is_no_success(
    replay: Replay, case: str, reason: str
) -> None:
    assert RECORDED[OLD][case].exit == 0

    with pytest.raises(OpenClawCliError) as failure:
        await replay(OLD, case)

    assert failure.value.message == reason
    assert failure.value.detail == {"exit_code": 0, "signal": None}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"ok": False, "error": {"type": "cli_error", "message": "No."}}, "No."),
        ({"ok": False, "error": "No."}, "No."),
        ({"ok": False, "issues": [{"path": "agents", "message": "No."}]}, "agents: No."),
        ({"ok": False, "message": "No."}, "No."),
        ({"ok": False}, "it gave no reason"),
        ({"error": "not found", "skill": "x"}, "not found"),
        ({"ok": True, "result": "not-loaded", "message": "Disabled."}, "Disabled."),
    ],
)
def test_answer_that_is_a_failure_is_an_error(answer: Any, reason: str) -> None:
    with pytest.raises(OpenClawCliError) as failure:
        require_success(answer)

    assert failure.value.message == f"OpenClaw did not do it: {reason}"


@pytest.mark.parametrize(
    "answer",
    [
        {"plugins": [{"id": "x", "error": "bundled (disabled by default)"}]},
        {"ok": True, "result": "started"},
        {"error": None, "sessions": []},
        {"error": ""},
        {},
        [{"error": "of a row"}],
        [],
        "text",
        None,
    ],
    ids=repr,
)
def test_answer_that_is_no_failure_is_let_through(answer: Any) -> None:
    require_success(answer)


def test_every_recorded_case_is_tested() -> None:
    tested = {*ANSWERS, *REASONS, *((OLD, case) for case in FALSE_SUCCESSES)}

    assert {(version, case) for version, cases in RECORDED.items() for case in cases} == tested
