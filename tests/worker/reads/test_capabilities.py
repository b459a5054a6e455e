"""Which way each route takes, and why it is not the first."""

from dataclasses import replace
from typing import Any

import pytest

from buddy_common.adapters.gateway_rpc import Hello
from buddy_worker.reads.capabilities import capabilities_of
from worker.reads.recorded import GENERATIONS, NEW, OLD, recorded_hello

BOTS, TOP = "GET /v1/openclaw/bots-models", "GET /v1/openclaw/bots/top"
MODELS, CHAT = "GET /v1/openclaw/models/config", "GET /v1/openclaw/chat/status"
SKILLS, PLUGINS = "GET /v1/openclaw/skills", "GET /v1/openclaw/plugins"
WECHAT, SESSIONS = "GET /v1/wechat/config/status", "GET /v1/openclaw/sessions"
FILE = "GET /v1/openclaw/bots/file"
LOGIN, INSTALL, ADD = (
    "GET /v1/wechat/qrcode",
    "POST /v1/openclaw/plugins/install",
    "POST /v1/openclaw/bots/add",
)
ALWAYS_FILES = {TOP: "file", MODELS: "file", CHAT: "file", FILE: "file"}
NOT_CONNECTED = "the gateway is not connected"


def capabilities(
    hello: Hello | None, version: str | None = NEW, problem: str | None = None
) -> dict[str, Any]:
    return capabilities_of(hello, version=version, problem=problem)


def ways(found: dict[str, Any]) -> dict[str, str]:
    return {row["route"]: row["way"] for row in reads(found)}


def reasons(found: dict[str, Any]) -> dict[str, str | None]:
    return {row["route"]: row["reason"] for row in reads(found)}


def reads(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of what is read, without the sign-in that is one."""
    return [row for row in found["routes"] if row["route"].startswith("GET") and row["route"] != LOGIN]


def change(found: dict[str, Any], route: str) -> tuple[str, str | None]:
    """Return the way of a change, and why it is not the first."""
    (row,) = [row for row in found["routes"] if row["route"] == route]
    return row["way"], row["reason"]


@pytest.mark.parametrize("version", GENERATIONS)
def test_gateway_tells_what_it_can(version: str) -> None:
    found = capabilities(recorded_hello(version), version)
    plugins = "rpc" if version == NEW else "cli"

    assert ways(found) == ALWAYS_FILES | {
        BOTS: "rpc", SKILLS: "rpc", PLUGINS: plugins, WECHAT: "rpc", SESSIONS: "rpc",
    }  # fmt: skip
    missing = None if version == NEW else "this OpenClaw has no plugins.list"
    assert reasons(found) == dict.fromkeys(ways(found)) | {PLUGINS: missing}


def test_without_a_gateway_files_come_first_and_commands_second() -> None:
    found = capabilities(None)

    assert ways(found) == ALWAYS_FILES | {
        BOTS: "file", SKILLS: "cli", PLUGINS: "cli", WECHAT: "file", SESSIONS: "file",
    }  # fmt: skip
    assert reasons(found) == dict.fromkeys(ALWAYS_FILES) | dict.fromkeys(
        [BOTS, SKILLS, PLUGINS, WECHAT, SESSIONS], NOT_CONNECTED
    )


def test_without_openclaw_what_only_a_command_tells_is_unavailable() -> None:
    found = capabilities(None, None, "There is no openclaw.")

    assert {route for route, way in ways(found).items() if way == "unavailable"} == {SKILLS, PLUGINS}
    assert (found["version"], found["problem"]) == (None, "There is no openclaw.")


def test_method_that_is_missing_is_named() -> None:
    hello = recorded_hello(NEW)
    lame = replace(hello, methods=hello.methods - {"agents.list", "models.list", "skills.status"})

    found = capabilities(lame)

    assert (ways(found)[BOTS], ways(found)[SKILLS]) == ("file", "cli")
    assert reasons(found)[BOTS] == "this OpenClaw has no agents.list, models.list"
    assert reasons(found)[SKILLS] == "this OpenClaw has no skills.status"


def test_method_that_is_missing_makes_its_route_unavailable_where_no_command_can_be_run() -> None:
    found = capabilities(recorded_hello(OLD), None)

    assert ways(found)[PLUGINS] == "unavailable"
    assert reasons(found)[PLUGINS] == "this OpenClaw has no plugins.list"


@pytest.mark.parametrize(("version", "protocol"), [(NEW, 4), (OLD, 3)])
def test_version_is_that_of_the_gateway_that_is_connected(version: str, protocol: int) -> None:
    found = capabilities(recorded_hello(version), "2026.1.1", "The gateway closed the connection.")

    assert (found["version"], found["protocol"], found["connected"]) == (version, protocol, True)
    assert found["problem"] is None


def test_version_is_that_of_the_program_while_none_is_connected() -> None:
    found = capabilities(None, "2026.1.1", "No gateway listens on its port.")

    assert (found["version"], found["protocol"], found["connected"]) == ("2026.1.1", None, False)
    assert found["problem"] == "No gateway listens on its port."


def test_methods_that_a_route_needs_are_told() -> None:
    methods = {row["route"]: row["methods"] for row in capabilities(None)["routes"]}

    assert methods[BOTS] == ["agents.list", "models.list"]
    assert methods[FILE] == methods[CHAT] == []


@pytest.mark.parametrize(
    ("hello", "version", "config", "command"),
    [
        (NEW, NEW, ("rpc", None), ("cli", None)),
        (OLD, OLD, ("file", "this OpenClaw has no plugins.list"), ("cli", None)),
        (None, NEW, ("file", NOT_CONNECTED), ("cli", None)),
        (
            None,
            None,
            ("unavailable", f"{NOT_CONNECTED}, and OpenClaw is not installed"),
            ("unavailable", "OpenClaw is not installed"),
        ),
    ],
)
def test_changes_tell_their_way_too(
    hello: str | None,
    version: str | None,
    config: tuple[str, str | None],
    command: tuple[str, str | None],
) -> None:
    found = capabilities(recorded_hello(hello) if hello else None, version)

    assert change(found, ADD) == config
    assert change(found, INSTALL) == change(found, LOGIN) == command
