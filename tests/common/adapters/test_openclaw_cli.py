"""The command line of OpenClaw: what is run, and what its answers mean. Excerpts are from real ones."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.child_process import ChildResult, Stream
from buddy_common.adapters.openclaw_cli import OpenClawCli, compose_arguments, find_json
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import (
    InvalidRequestError,
    OpenClawCliError,
    OpenClawNotFoundError,
    ProgramStartError,
)
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.settings import GatewaySettings, OpenClawSettings

PROGRAM = """#!/bin/sh
if [ "$1" = --version ]; then echo "OpenClaw 2026.9.6 (abc1234)"; exit 0; fi
{{ for part in "$@"; do echo "$part"; done; }} >{folder}/arguments
env >{folder}/environment
pwd >{folder}/cwd
cat {folder}/stdout
cat {folder}/stderr >&2
exit "$(cat {folder}/exit)"
"""


@dataclass
class Program:
    """An `openclaw` that says what the test wrote down for it."""

    folder: Path
    state: Path
    processes: list[ProcessIdentity] = field(default_factory=list)
    lines: list[tuple[Stream, str]] = field(default_factory=list)

    def install(self) -> None:
        program = self.folder / "openclaw"
        program.write_text(PROGRAM.format(folder=shlex.quote(str(self.folder))))
        program.chmod(0o755)
        self.will_say("")

    def will_say(self, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        (self.folder / "stdout").write_text(stdout)
        (self.folder / "stderr").write_text(stderr)
        (self.folder / "exit").write_text(str(code))

    def read(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    async def on_started(self, process: ProcessIdentity) -> None:
        self.processes.append(process)

    async def on_line(self, line: str, stream: Stream) -> None:
        self.lines.append((stream, line))

    async def run(self, *command: str, port: int | None = None, **options: Any) -> ChildResult:
        openclaw = HostOpenClaw(OpenClawSettings(program=self.folder / "openclaw"), self.folder)
        settings = GatewaySettings(config_dir=self.state, port=port, pass_env="MY_API_KEY")
        cli = OpenClawCli(openclaw, settings, folder=self.folder / "empty")
        return await cli.run(command, on_started=self.on_started, on_line=self.on_line, **options)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "program").mkdir()
    program = Program(tmp_path / "program", tmp_path / "state")
    program.install()
    return program


def said(stdout: str = "", stderr: str = "", *, truncated: bool = False) -> ChildResult:
    return ChildResult(ProcessExit(code=0), stdout, stderr, truncated)


async def test_command_is_run_with_what_belongs_to_it(program: Program) -> None:
    program.will_say("Installed plugin: openclaw-weixin\n", "a warning\n")

    result = await program.run(
        "plugins", "install", values=["@tencent-weixin/openclaw-weixin@2.4.9"], flags=["--force"]
    )

    assert program.read("arguments") == [
        "plugins", "install", "@tencent-weixin/openclaw-weixin@2.4.9", "--force",
    ]  # fmt: skip
    assert result.exit == ProcessExit(code=0)
    assert sorted(program.lines) == [
        ("stderr", "a warning"),
        ("stdout", "Installed plugin: openclaw-weixin"),
    ]
    assert [process.name for process in program.processes] == ["openclaw"]


async def test_environment_of_one_command_goes_before_that_of_all(program: Program) -> None:
    await program.run("config", "validate", environment={"OPENCLAW_CONFIG_PATH": "/a/copy.json"})

    seen = program.read("environment")
    assert "OPENCLAW_CONFIG_PATH=/a/copy.json" in seen
    assert f"OPENCLAW_STATE_DIR={program.state}" in seen


async def test_program_sees_its_own_variables_and_none_of_our_secrets(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_TOKEN", "secret")
    monkeypatch.setenv("MY_API_KEY", "named by the operator")

    await program.run("plugins", "list", port=18_999)

    variables = dict(line.split("=", 1) for line in program.read("environment") if "=" in line)
    assert variables["OPENCLAW_STATE_DIR"] == str(program.state)
    assert variables["OPENCLAW_CONFIG_PATH"] == str(program.state / "openclaw.json")
    assert variables["OPENCLAW_GATEWAY_PORT"] == "18999"
    assert variables["NO_COLOR"] == "1"
    assert variables["MY_API_KEY"] == "named by the operator"
    assert "BUDDY_TOKEN" not in variables
    assert program.read("cwd") == [str(program.folder / "empty")]
    assert not any((program.folder / "empty").iterdir())


async def test_port_of_the_config_is_left_to_openclaw(program: Program) -> None:
    await program.run("plugins", "list")

    assert not [line for line in program.read("environment") if line.startswith("OPENCLAW_GATEWAY_PORT")]


async def test_options_follow_the_values(program: Program) -> None:
    await program.run(
        "agents",
        "add",
        values=["bot_1"],
        flags=["--non-interactive", "--json"],
        options={"--workspace": "/home/u/a folder"},
    )

    assert program.read("arguments") == [
        "agents", "add", "bot_1", "--non-interactive", "--json", "--workspace", "/home/u/a folder",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", "  ", "-x", "--force", "--", "a\x00b", "\ud83d"], ids=ascii)
def test_value_that_is_no_argument_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be an argument"):
        compose_arguments(["plugins", "install"], values=[value], flags=[], options={})
    with pytest.raises(InvalidRequestError, match="cannot be an argument"):
        compose_arguments(["agents"], values=[], flags=[], options={"--name": value})


@pytest.mark.parametrize(
    ("command", "flags", "options"),
    [
        (["plugins", "--force"], [], {}),
        (["plugins", "Some Value"], [], {}),
        (["plugins"], ["force"], {}),
        (["plugins"], ["--force=yes"], {}),
        (["plugins"], ["-f"], {}),
        (["plugins"], [], {"name": "x"}),
    ],
)
def test_what_is_no_literal_of_ours_is_a_bug(
    command: list[str], flags: list[str], options: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="belongs into `values`"):
        compose_arguments(command, values=[], flags=flags, options=options)


async def test_program_that_is_not_there_is_told(program: Program) -> None:
    (program.folder / "openclaw").unlink()

    with pytest.raises(OpenClawNotFoundError):
        await program.run("plugins", "list")


async def test_folder_that_cannot_be_made_is_told(program: Program) -> None:
    (program.folder / "empty").touch()

    with pytest.raises(ProgramStartError, match="cannot run in"):
        await program.run("plugins", "list")


# --- answers

ANSWERS = {
    "new: clean": said('{\n  "plugins": []\n}\n'),
    "old: log line before": said(
        "[agents/model-providers] [xai-auth] bootstrap config fallback: no config-backed key found\n"
        '{\n  "plugins": []\n}\n'
    ),
    "old: log line after": said(
        '{\n  "plugins": []\n}\n'
        "[agents/model-providers] [xai-auth] bootstrap config fallback: no config-backed key found\n"
    ),
    "old: on stderr": said("", '{\n  "plugins": []\n}\n'),
    "old: a box before": said(
        '│\n◇  Config warnings ─────╮\n│  ["a"] {                │\n├──────╯\n{"plugins":[]}'
    ),
    "warning on stderr": said(
        '{"plugins": []}\n', "[sqlite/transaction] slow SQLite transaction hold async=false\n"
    ),
    "several lines of JSON": said('{"plugins":[]}\n{"type":"log"}\n'),
    "a list in a log line": said('[1] is not the answer\n{"plugins":[]}\n'),
}


@pytest.mark.parametrize("result", ANSWERS.values(), ids=ANSWERS.keys())
def test_answer_is_found_among_the_noise(result: ChildResult) -> None:
    assert find_json(result) == {"plugins": []}


def test_answer_may_be_a_list() -> None:
    assert find_json(said('[\n  {\n    "id": "main"\n  }\n]\n')) == [{"id": "main"}]


@pytest.mark.parametrize(
    "result",
    [
        said(),
        said("Installed plugin: openclaw-weixin\n"),
        said('{"plugins": [\n'),
        said("[" * 100_000),
        said('{"id": "the end of something longer"}\n', truncated=True),
    ],
    ids=["nothing", "text", "half", "deep", "truncated"],
)
def test_answer_that_is_not_whole_is_an_error(result: ChildResult) -> None:
    with pytest.raises(OpenClawCliError, match="answer"):
        find_json(result)


def envelope(message: str) -> str:
    return json.dumps({"ok": False, "error": {"type": "cli_error", "message": message}}, indent=2)


FAILURES = {
    "new: envelope": (envelope('Agent "bot_1" already exists.'), "", 'Agent "bot_1" already exists.'),
    "new: error is a text": (
        '{"action": "start", "ok": false, "error": "Gateway service disabled."}',
        "",
        "Gateway service disabled.",
    ),
    "config: issues": (
        (
            '{"valid": false, "issues": [{"path": "<root>", "message": "Unrecognized key: \\"foo\\""},'
            ' {"path": "agents", "message": "Unrecognized key: \\"x\\""}]}'
        ),
        "",
        '<root>: Unrecognized key: "foo"; agents: Unrecognized key: "x"',
    ),
    "other JSON": ('{"valid": false, "issues": 3}', "Not so.", "Not so."),
    "a list": ("[]", "Not so.", "Not so."),
    "old: log lines": (
        "Resolving clawhub:x…\n",
        (
            "\x1b[35m[plugins]\x1b[39m \x1b[33mplugins.allow is empty; discovered non-bundled\x1b[39m\n"
            "Channel login failed: Error: Unsupported channel: nope\n"
        ),
        "Channel login failed: Error: Unsupported channel: nope",
    ),
    "old: stack trace": (
        "",
        (
            "[openclaw] Failed to start CLI: GatewayClientRequestError: unknown requestId\n"
            "    at GatewayClient.handleMessage (file:///x/dist/method-scopes-DgElWZYI.js:2427:25)\n"
            "    at WebSocket.emit (node:events:519:28)\n"
        ),
        "GatewayClientRequestError: unknown requestId",
    ),
    "old: warnings about others": (
        "│\n◇  Config warnings ───╮\n",
        (
            "Config warnings:\\n- plugins.entries.ghost: plugin not found: ghost (stale config entry)\n"
            "- plugins.entries.telegram: plugin disabled (disabled in config) but config is present\n"
            "Config warnings:\\n- plugins.entries.ghost: plugin not found: ghost (stale config entry)\n"
            "Provide a plugin or hook-pack id, or use --all.\n"
        ),
        "Provide a plugin or hook-pack id, or use --all.",
    ),
    "new: advice": (
        "",
        (
            "[openclaw] The CLI command failed.\n"
            "[openclaw] Reason: service management skipped: non-default state dir or config path.\n"
            "[openclaw] Debug: set OPENCLAW_DEBUG=1 to include the stack trace.\n"
            "[openclaw] Try: openclaw doctor\n"
        ),
        "service management skipped: non-default state dir or config path.",
    ),
    "old: several lines": (
        "",
        (
            "Config invalid\nFile: ~/.openclaw/openclaw.json\nProblem:\n"
            "  - <root>: JSON5 parse failed\n\nRun: openclaw doctor --fix\n"
        ),
        (
            "Config invalid\nFile: ~/.openclaw/openclaw.json\nProblem:\n"
            "- <root>: JSON5 parse failed\nRun: openclaw doctor --fix"
        ),
    ),
    "many lines": ("", "\n".join("abcdefgh"), "d\ne\nf\ng\nh"),
    "only log lines": ("", "[plugins] it is all my fault\n", "[plugins] it is all my fault"),
    "on stdout only": ("Failed to start login: TypeError: fetch failed\n", "", "TypeError: fetch failed"),
    "silence": ("", "", "it said nothing"),
}


@pytest.mark.parametrize(("stdout", "stderr", "reason"), FAILURES.values(), ids=FAILURES.keys())
async def test_failure_is_told_in_openclaws_own_words(
    program: Program, stdout: str, stderr: str, reason: str
) -> None:
    program.will_say(stdout, stderr, code=1)

    with pytest.raises(OpenClawCliError) as failure:
        await program.run("plugins", "install", values=["a secret"])

    assert failure.value.message.startswith("`openclaw plugins install` failed (exit code 1): ")
    assert failure.value.message.endswith(reason)
    assert failure.value.detail == {"exit_code": 1, "signal": None}
    assert len(failure.value.message.splitlines()) == len(reason.splitlines())
