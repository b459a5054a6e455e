"""Installing plugins: a job in the slow lane."""

import httpx
import pytest

from api.acting import audit, count_rows, messages, row_of
from api.conftest import Api


async def install(api: Api, **body: object) -> httpx.Response:
    return await api.client.post("/v1/openclaw/plugins/install", json=body)


async def test_installing_a_plugin_is_202_with_a_task(api: Api) -> None:
    answer = await install(api, spec="@openclaw/voice-call@2026.9.6")

    body = answer.json()
    assert answer.status_code == body["code"] == 202
    assert body["message"] == "Plugin installation initiated"
    row = await row_of(api, body["data"]["taskID"])
    assert (row.kind, row.lane, row.target) == (
        "buddy.plugins.install",
        "slow",
        "@openclaw/voice-call@2026.9.6",
    )
    assert row.payload == {"spec": "@openclaw/voice-call@2026.9.6", "force": False}
    assert row.id in (await messages(api, "node.local.slow"))[0]
    assert (await audit(api))[0]["action"] == "install_plugins"


@pytest.mark.parametrize("name", ["spec", "id"])
async def test_the_plugin_is_named_by_either_field(name: str, api: Api) -> None:
    answer = await install(api, **{name: "voice-call"})
    assert (await row_of(api, answer.json()["data"]["taskID"])).payload["spec"] == "voice-call"


async def test_a_source_that_openclaw_does_not_know_is_taken_only_when_the_caller_says_so(api: Api) -> None:
    answer = await install(api, spec="left-pad", force=True)
    assert (await row_of(api, answer.json()["data"]["taskID"])).payload["force"] is True


@pytest.mark.parametrize("name", ["spec", "id"])
@pytest.mark.parametrize(
    "spec",
    [
        "",
        "-g",
        "--help",
        "a..b",
        "@a/../b",
        "a/b",
        "./plugin",
        "../plugin",
        "/etc/passwd",
        "~/plugin",
        "https://example.com/plugin.tgz",
        "git:github.com/a/b",
        "file:x",
        "npm-pack:x.tgz",
        "a b",
        "a;b",
        "a\n",
        "插件",
        "x" * 129,
        5,
        None,
        ["a"],
    ],
)
async def test_a_spec_that_is_no_package_is_400_and_names_the_field(
    name: str, spec: object, api: Api
) -> None:
    answer = await install(api, **{name: spec})

    assert answer.status_code == 400
    assert answer.json()["data"]["error"] == "invalid_request"
    assert answer.json()["data"]["fields"][0]["field"] == name
    assert await count_rows(api) == 0


async def test_a_body_without_a_spec_is_400_and_names_the_field(api: Api) -> None:
    answer = await install(api)
    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "spec"
