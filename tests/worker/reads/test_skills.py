"""The skills of the default bot."""

from pathlib import Path

import pytest

from buddy_worker.reads.skills import list_skills, read_skills
from worker.reads.recorded import (
    GENERATIONS,
    NEW,
    OLD,
    RecordedCommands,
    RecordedGateway,
    cli_answer,
    config_of,
    files_of,
    recording,
)


@pytest.mark.parametrize("version", GENERATIONS)
async def test_skills_are_those_of_the_gateway(version: str, tmp_path: Path) -> None:
    gateway = RecordedGateway(version)

    rows = await read_skills(gateway, files_of(tmp_path, config_of(version)))

    assert rows == recording(version)["skills.status"]["skills"]
    assert [row["name"] for row in rows] == ["1password", "apple-notes", "apple-reminders", "bear-notes"]
    assert gateway.calls == [("skills.status", {"agentId": "main"})]


@pytest.mark.parametrize(("version", "options"), [(NEW, {"--agent": "main"}), (OLD, {})])
async def test_skills_are_those_of_the_command_which_is_told_whose_where_it_wants_that(
    version: str, options: dict[str, str], tmp_path: Path
) -> None:
    commands = RecordedCommands(cli_answer(version, "skills list"), old=version == OLD)

    rows = await list_skills(commands, files_of(tmp_path, config_of(version)))

    assert rows[0]["name"] == "1password"
    assert commands.calls == [(("skills", "list"), options)]


async def test_skills_are_those_of_the_default_bot(tmp_path: Path) -> None:
    config = config_of(NEW)
    config["agents"]["entries"]["bot_1"]["default"] = True
    gateway = RecordedGateway(NEW)

    await read_skills(gateway, files_of(tmp_path, config))

    assert gateway.asked("skills.status") == [{"agentId": "bot_1"}]


@pytest.mark.parametrize("answer", [[], {}, {"skills": None}, {"skills": ["text"]}], ids=str)
async def test_answer_of_another_shape_holds_no_skills(answer: object, tmp_path: Path) -> None:
    commands = RecordedCommands(answer, old=True)

    assert await list_skills(commands, files_of(tmp_path, {})) == []
