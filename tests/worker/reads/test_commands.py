"""`openclaw … --json` for the reads."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.child_process import ChildResult
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import DeadlineExceededError, OpenClawCliError, OpenClawNotFoundError
from buddy_common.schemas.processes import ProcessExit
from buddy_common.settings import OpenClawSettings
from buddy_worker.reads import commands
from buddy_worker.reads.commands import CliCommands
from worker.reads.recorded import NEW, OLD


@dataclass
class FakeCli:
    """A command line that says the same to everything, when it may."""

    stdout: str = '{"plugins": []}'
    ran: list[tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most_at_once: int = 0

    async def run(
        self,
        command: Sequence[str],
        *,
        flags: Sequence[str],
        options: Mapping[str, str] | None,
        on_started: Any,
    ) -> ChildResult:
        del on_started
        self.ran.append((tuple(command), tuple(flags), dict(options or {})))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.began.set()
        try:
            await self.may_end.wait()
        finally:
            self.running -= 1
        return ChildResult(ProcessExit(code=0), self.stdout, "", truncated=False)


def commands_with(cli: Any, *, program: Path = Path("/nowhere/openclaw")) -> CliCommands:
    openclaw = HostOpenClaw(OpenClawSettings(program=program), program.parent / "runtime")
    return CliCommands(cli, openclaw)


@pytest.fixture
def cli() -> FakeCli:
    """A command line that answers at once."""
    fake = FakeCli()
    fake.may_end.set()
    return fake


async def test_command_is_run_for_its_json(cli: FakeCli) -> None:
    answer = await commands_with(cli).json("plugins", "list", options={"--agent": "main"})

    assert answer == {"plugins": []}
    assert cli.ran == [(("plugins", "list"), ("--json",), {"--agent": "main"})]


async def test_commands_are_run_one_at_a_time(cli: FakeCli) -> None:
    cli.may_end.clear()
    openclaw = commands_with(cli)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(openclaw.json("plugins", "list"))
        await cli.began.wait()
        cli.may_end.set()

    assert (len(cli.ran), cli.most_at_once) == (3, 1)


async def test_command_that_takes_too_long_is_ended_and_the_next_one_is_run(
    cli: FakeCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "LIMIT_SECONDS", 0.01)
    cli.may_end.clear()
    openclaw = commands_with(cli)

    with pytest.raises(DeadlineExceededError, match="`openclaw skills list` was not done"):
        await openclaw.json("skills", "list")
    assert cli.running == 0

    monkeypatch.setattr(commands, "LIMIT_SECONDS", 5)
    cli.may_end.set()
    assert await openclaw.json("skills", "list") == {"plugins": []}


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        ("", "OpenClaw's answer holds no JSON."),
        ('{"error": "not found", "skill": "x"}', "OpenClaw did not do it: not found"),
        ('{"ok": false, "error": {"message": "Locked."}}', "OpenClaw did not do it: Locked."),
    ],
)
async def test_answer_that_is_a_failure_is_an_error(cli: FakeCli, stdout: str, reason: str) -> None:
    cli.stdout = stdout

    with pytest.raises(OpenClawCliError) as failure:
        await commands_with(cli).json("skills", "info")

    assert failure.value.message == reason


@pytest.mark.parametrize(("version", "old"), [(NEW, False), (OLD, True)])
async def test_generation_is_that_of_the_program(
    cli: FakeCli, tmp_path: Path, version: str, *, old: bool
) -> None:
    program = tmp_path / "openclaw"
    program.write_text(f"#!/bin/sh\necho 'OpenClaw {version} (abc1234)'\n")
    program.chmod(0o755)

    assert await commands_with(cli, program=program).is_old() is old


async def test_generation_of_no_program_is_unknown(cli: FakeCli, tmp_path: Path) -> None:
    with pytest.raises(OpenClawNotFoundError):
        await commands_with(cli, program=tmp_path / "openclaw").is_old()
