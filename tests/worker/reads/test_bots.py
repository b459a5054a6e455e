"""The bots and their models, as both generations and the files tell them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buddy_common.errors import GatewayRpcError
from buddy_common.schemas.resources import Resource
from buddy_worker.reads import sources
from buddy_worker.reads.bots import bots_models_of, guess_workspace, read_bots_models
from worker.reads.recorded import (
    GENERATIONS,
    NEW,
    OLD,
    SECRET,
    RecordedGateway,
    config_of,
    files_of,
)

MAIN: dict[str, Any] = {
    "id": "main", "name": "main", "model": "mock/mock-1", "emoji": None, "isDefault": True,
    "agentName": None, "identity": {},
}  # fmt: skip
BOT_1: dict[str, Any] = {
    "id": "bot_1", "name": "一号", "model": "mock/mock-2", "emoji": "🤖", "isDefault": False,
    "agentName": "Bot One", "identity": {"name": "一号", "emoji": "🤖"},
}  # fmt: skip
BOT_2: dict[str, Any] = {
    "id": "bot_2", "name": "Changed 1795621605", "model": "second/org/deep-1", "emoji": None,
    "isDefault": False, "agentName": "Changed 1795621605", "identity": {},
}  # fmt: skip
MODELS: list[dict[str, Any]] = [
    {
        "id": "mock/mock-1", "modelId": "mock-1", "name": "Mock One", "provider": "mock",
        "isDefault": True, "input": ["text"], "contextWindow": 64000,
    },
    {
        "id": "mock/mock-2", "modelId": "mock-2", "name": "Mock Two", "provider": "mock",
        "isDefault": False, "input": ["text", "image"], "contextWindow": 64000,
    },
    {
        "id": "second/org/deep-1", "modelId": "org/deep-1", "name": "Deep", "provider": "second",
        "isDefault": False, "input": ["text"], "contextWindow": 64000,
    },
]  # fmt: skip
HAIKU = "amazon-bedrock/anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No workspace of whoever runs the tests is found."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def without_workspace(bots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left_out = {"workspace", "workspaceGuessed"}
    return [{name: value for name, value in bot.items() if name not in left_out} for bot in bots]


def workspaces(view: dict[str, Any]) -> dict[str, str]:
    return {bot["id"]: bot["workspace"] for bot in view["bots"]}


def own_fields(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: model[name] for name in MODELS[0]} for model in models]


# --- from the gateway


@pytest.mark.parametrize("version", GENERATIONS)
async def test_bots_are_the_same_in_both_generations(version: str, tmp_path: Path) -> None:
    view = await read_bots_models(RecordedGateway(version), files_of(tmp_path, config_of(version)))

    assert without_workspace(view["bots"]) == [MAIN, BOT_1, BOT_2]


@pytest.mark.parametrize("version", GENERATIONS)
async def test_models_are_the_same_in_both_generations(version: str, tmp_path: Path) -> None:
    view = await read_bots_models(RecordedGateway(version), files_of(tmp_path, config_of(version)))

    assert own_fields(view["models"]) == MODELS
    assert [model["reasoning"] for model in view["models"]] == [False, False, False]


@pytest.mark.parametrize("version", GENERATIONS)
async def test_models_carry_no_secret_of_the_file(version: str, tmp_path: Path) -> None:
    files = files_of(tmp_path, config_of(version))
    view = await read_bots_models(RecordedGateway(version), files)
    later = replace(files, last={Resource.BOTS_MODELS: view})

    assert SECRET not in str(view)
    assert SECRET not in str(await asyncio.to_thread(bots_models_of, later))


async def test_new_generation_tells_workspaces_at_once(tmp_path: Path) -> None:
    gateway = RecordedGateway(NEW)
    view = await read_bots_models(gateway, files_of(tmp_path, config_of(NEW)))

    assert workspaces(view) == {
        "main": "/state/workspace-main",
        "bot_1": "/state/workspace-bot_1",
        "bot_2": "/state/workspace-bot_2",
    }
    assert gateway.calls == [("agents.list", {}), ("models.list", {"agentId": "main"})]


async def test_old_generation_is_asked_for_each_workspace_that_the_file_leaves_open(tmp_path: Path) -> None:
    config = config_of(OLD)
    config["agents"]["list"][1]["workspace"] = "/data/one"
    gateway = RecordedGateway(OLD)

    view = await read_bots_models(gateway, files_of(tmp_path, config))

    assert workspaces(view) == {
        "main": "/home/user/.openclaw/workspace",
        "bot_1": "/data/one",
        "bot_2": "/state/workspace-bot_2",
    }
    assert gateway.asked("agents.files.list") == [{"agentId": "main"}, {"agentId": "bot_2"}]
    assert gateway.asked("models.list") == [{}]


async def test_old_generation_is_not_asked_for_its_workspaces_with_each_reading(tmp_path: Path) -> None:
    gateway, files = RecordedGateway(OLD), files_of(tmp_path, config_of(OLD))
    before = await read_bots_models(gateway, files)
    asked = len(gateway.asked("agents.files.list"))

    view = await read_bots_models(gateway, files)

    assert view == before
    assert len(gateway.asked("agents.files.list")) == asked > 0


@pytest.mark.parametrize("change", ["workspace of all", "default agent", "a minute"])
async def test_old_generation_is_asked_again_for_its_workspaces_after(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(tmp_path, config_of(OLD))
    await read_bots_models(RecordedGateway(OLD), files)
    edited = config_of(OLD)
    if change == "workspace of all":
        edited["agents"]["defaults"]["workspace"] = "/data/new"
    elif change == "default agent":
        edited["agents"]["list"][-1]["default"] = True
    else:
        monkeypatch.setattr(sources, "TOLD_SECONDS", 0.0)
    gateway = RecordedGateway(OLD, {"agents.files.list": {"workspace": "/data/new"}})

    view = await read_bots_models(gateway, replace(files, config=edited))

    assert workspaces(view)["main"] == "/data/new"


async def test_workspace_that_the_gateway_does_not_tell_is_unknown(tmp_path: Path) -> None:
    gateway = RecordedGateway(OLD, {"agents.files.list": {"files": []}})

    view = await read_bots_models(gateway, files_of(tmp_path, config_of(OLD)))

    assert set(workspaces(view).values()) == {None}


async def test_models_of_the_old_generation_are_those_of_the_file_and_those_that_it_names(
    tmp_path: Path,
) -> None:
    config = config_of(OLD)
    config["agents"]["defaults"]["model"]["fallbacks"] = [HAIKU, "nobody/knows-it"]
    catalogue = RecordedGateway(OLD).answers["models.list"]["models"]

    view = await read_bots_models(RecordedGateway(OLD), files_of(tmp_path, config))

    assert len(catalogue) > 8
    assert [model["id"] for model in view["models"]] == [*(model["id"] for model in MODELS), HAIKU]
    assert view["models"][-1]["name"] == "Claude Haiku 3"
    assert view["models"][-1]["input"] == ["text", "image"]


async def test_model_that_the_old_generation_has_not_taken_in_is_told_from_the_file(tmp_path: Path) -> None:
    config = config_of(OLD)
    config["models"]["providers"]["second"]["models"].append({"id": "brand-new"})

    view = await read_bots_models(RecordedGateway(OLD), files_of(tmp_path, config))

    assert view["models"][-1] == {
        "id": "second/brand-new", "modelId": "brand-new", "name": "brand-new", "provider": "second",
        "isDefault": False, "input": ["text"], "contextWindow": None,
    }  # fmt: skip


@pytest.mark.parametrize("version", GENERATIONS)
async def test_default_bot_is_the_one_that_the_gateway_names(version: str, tmp_path: Path) -> None:
    gateway = RecordedGateway(version)
    gateway.answers["agents.list"]["defaultId"] = "bot_2"

    view = await read_bots_models(gateway, files_of(tmp_path, config_of(version)))

    assert [bot["id"] for bot in view["bots"] if bot["isDefault"]] == ["bot_2"]


async def test_bot_that_the_file_does_not_know_is_told_as_the_gateway_tells_it(tmp_path: Path) -> None:
    listed = {"agents": [{"id": "late", "workspace": "/w", "identity": "broken"}, "broken"]}
    gateway = RecordedGateway(NEW, {"agents.list": listed, "models.list": {}})

    view = await read_bots_models(gateway, files_of(tmp_path, {}))

    assert view == {
        "bots": [
            {
                "id": "late", "name": "late", "model": None, "emoji": None, "workspace": "/w",
                "workspaceGuessed": False,
                "isDefault": False, "agentName": None, "identity": {},
            }
        ],
        "models": [],
    }  # fmt: skip


async def test_refusal_of_the_gateway_is_passed_on(tmp_path: Path) -> None:
    refusal = {"__error__": {"code": "FORBIDDEN", "message": "missing scope"}}
    gateway = RecordedGateway(NEW, {"models.list": refusal})

    with pytest.raises(GatewayRpcError, match="missing scope"):
        await read_bots_models(gateway, files_of(tmp_path, config_of(NEW)))


async def test_while_the_catalogue_reloads_the_file_tells_the_models(tmp_path: Path) -> None:
    """The newer generation answers so for a moment after each change of its config."""
    refusal = {"__error__": {"code": "UNAVAILABLE", "message": "Model catalog is not ready."}}
    files = files_of(tmp_path, config_of(NEW))

    view = await read_bots_models(RecordedGateway(NEW, {"models.list": refusal}), files)

    assert without_workspace(view["bots"]) == [MAIN, BOT_1, BOT_2]
    assert view["models"] == (await asyncio.to_thread(bots_models_of, files))["models"]


# --- from the files alone


@pytest.mark.parametrize("version", GENERATIONS)
def test_files_alone_tell_the_same_bots(version: str, tmp_path: Path) -> None:
    view = bots_models_of(files_of(tmp_path, config_of(version)))

    assert without_workspace(view["bots"]) == [MAIN, BOT_1, BOT_2]
    assert workspaces(view) == {bot: str(tmp_path / f"workspace-{bot}") for bot in ("main", "bot_1", "bot_2")}
    assert own_fields(view["models"]) == [*MODELS[:2], MODELS[2] | {"contextWindow": None}]


@pytest.mark.parametrize("version", GENERATIONS)
async def test_files_alone_keep_what_the_gateway_said_before(version: str, tmp_path: Path) -> None:
    files = files_of(tmp_path, config_of(version))
    before = await read_bots_models(RecordedGateway(version), files)

    later = replace(files, last={Resource.BOTS_MODELS: before})

    assert await asyncio.to_thread(bots_models_of, later) == before


async def test_edit_of_the_file_wins_over_what_the_gateway_said_before(tmp_path: Path) -> None:
    config = config_of(NEW)
    files = files_of(tmp_path, config)
    before = await read_bots_models(RecordedGateway(NEW), files)
    agents, providers = config["agents"], config["models"]["providers"]
    del agents["entries"]["bot_1"], providers["second"]
    agents["entries"]["bot_2"] |= {"model": "mock/mock-2", "workspace": "/data/two"}
    agents["entries"]["late"] = {}
    providers["mock"]["models"][0] |= {"name": "Renamed", "contextWindow": 1000}

    view = await asyncio.to_thread(bots_models_of, replace(files, last={Resource.BOTS_MODELS: before}))

    assert workspaces(view) == {
        "main": "/state/workspace-main",
        "bot_2": "/data/two",
        "late": str(tmp_path / "workspace-late"),
    }
    assert view["bots"][1]["model"] == "mock/mock-2"
    assert [(model["name"], model["contextWindow"]) for model in view["models"]] == [
        ("Renamed", 1000),
        ("Mock Two", 64000),
    ]


def test_empty_file_has_one_bot_and_no_model(tmp_path: Path) -> None:
    view = bots_models_of(files_of(tmp_path, {}))

    assert [(bot["id"], bot["isDefault"]) for bot in view["bots"]] == [("main", True)]
    assert view["models"] == []


@pytest.mark.parametrize(
    ("there", "bot", "found"),
    [
        (["state/workspace-bot_1", "state/workspace"], "bot_1", "state/workspace-bot_1"),
        (["state/workspace"], "bot_1", "state/workspace-bot_1"),
        (["state/workspace-main", "state/workspace"], "main", "state/workspace-main"),
        (["state/workspace", "home/.openclaw/workspace"], "main", "state/workspace"),
        (["home/.openclaw/workspace"], "main", "home/.openclaw/workspace"),
        ([], "main", "state/workspace-main"),
    ],
)
def test_workspace_is_whichever_is_there(tmp_path: Path, there: list[str], bot: str, found: str) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)

    workspace = guess_workspace(files_of(tmp_path / "state", config_of(NEW)), bot)

    assert workspace == str(tmp_path / found)


@pytest.mark.parametrize(
    ("there", "bot", "found"),
    [
        (["all", "state/workspace-main"], "main", "all"),
        (["all/main"], "main", "all/main"),
        (["all/bot_1", "state/workspace-bot_1"], "bot_1", "all/bot_1"),
        (["all", "state/workspace-bot_1"], "bot_1", "state/workspace-bot_1"),
    ],
)
def test_workspace_that_the_file_names_for_all_bots_comes_first(
    tmp_path: Path, there: list[str], bot: str, found: str
) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    config = config_of(NEW)
    config["agents"]["defaults"]["workspace"] = str(tmp_path / "all")

    workspace = guess_workspace(files_of(tmp_path / "state", config), bot)

    assert workspace == str(tmp_path / found)


async def test_a_guess_gives_way_to_what_the_gateway_tells(tmp_path: Path) -> None:
    config = config_of(OLD)
    guessed = await asyncio.to_thread(bots_models_of, files_of(tmp_path, config))
    assert {bot["workspaceGuessed"] for bot in guessed["bots"]} == {True}

    view = await read_bots_models(
        RecordedGateway(OLD), files_of(tmp_path, config, {Resource.BOTS_MODELS: guessed})
    )

    assert workspaces(view)["main"] == "/home/user/.openclaw/workspace"
    assert {bot["workspaceGuessed"] for bot in view["bots"]} == {False}
