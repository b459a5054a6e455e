"""The plugins that OpenClaw knows."""

from pathlib import Path

import pytest

from buddy_common.errors import GatewayRpcError
from buddy_worker.reads.plugins import list_plugins, read_plugins
from worker.reads.recorded import (
    GENERATIONS,
    NEW,
    OLD,
    RecordedCommands,
    RecordedGateway,
    cli_answer,
    files_of,
    recording,
)


async def test_plugins_of_the_gateway_have_a_status(tmp_path: Path) -> None:
    rows = await read_plugins(RecordedGateway(NEW), files_of(tmp_path, {}))

    assert [(row["id"], row["status"], row["enabled"]) for row in rows] == [
        ("workboard", "disabled", False),
        ("memory-wiki", "disabled", False),
        ("diffs", "not-installed", False),
        ("lobster", "not-installed", False),
    ]
    for row, said in zip(rows, recording(NEW)["plugins.list"]["plugins"], strict=True):
        assert row.items() >= {name: value for name, value in said.items() if value != {}}.items()


async def test_old_generation_refuses_to_tell_its_plugins(tmp_path: Path) -> None:
    with pytest.raises(GatewayRpcError, match="unknown method"):
        await read_plugins(RecordedGateway(OLD), files_of(tmp_path, {}))


@pytest.mark.parametrize("version", GENERATIONS)
async def test_plugins_of_the_command_have_a_status_and_no_schemas(version: str, tmp_path: Path) -> None:
    commands = RecordedCommands(cli_answer(version, "plugins list"), old=version == OLD)

    rows = {row["id"]: row for row in await list_plugins(commands, files_of(tmp_path, {}))}

    assert commands.calls == [(("plugins", "list"), {})]
    assert (rows["openclaw-weixin"]["status"], rows["openclaw-weixin"]["enabled"]) == ("loaded", True)
    assert (rows["telegram"]["status"], rows["telegram"]["enabled"]) == ("disabled", False)
    for row in rows.values():
        assert not {"configJsonSchema", "configSchema", "configUiHints"} & set(row)


@pytest.mark.parametrize("answer", [[], {}, {"plugins": None}, {"plugins": ["text"]}], ids=str)
async def test_answer_of_another_shape_holds_no_plugins(answer: object, tmp_path: Path) -> None:
    assert await list_plugins(RecordedCommands(answer, old=True), files_of(tmp_path, {})) == []
