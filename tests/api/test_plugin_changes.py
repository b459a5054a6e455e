"""Removing, updating and reloading plugins: which jobs they are, and what is refused."""

from typing import Any

import pytest

from api.acting import audit, count_rows, messages, row_of
from api.conftest import Api

PATH = "/v1/openclaw/plugins"
BAD_IDS: list[Any] = ["", "-g", "--all", "a..b", "a b", "a\x00", "x" * 129, "插件"]
ASYNC = {"Prefer": "respond-async"}


async def test_removing_a_plugin_is_a_job_of_the_slow_lane(api: Api) -> None:
    answer = await api.client.delete(f"{PATH}/@scope/voice", headers=ASYNC)

    assert answer.status_code == 202
    row = await row_of(api, answer.json()["data"]["taskID"])
    assert (row.kind, row.lane, row.target) == ("buddy.plugins.uninstall", "slow", "@scope/voice")
    assert row.payload == {"id": "@scope/voice"}
    assert (await audit(api))[0]["action"] == "uninstall_plugins"


@pytest.mark.parametrize("plugin", ["-g", "a..b", "a%20b", "x" * 129, "%2e%2e/x"])
async def test_a_bad_id_in_the_path_is_400_and_nothing_is_removed(plugin: str, api: Api) -> None:
    answer = await api.client.delete(f"{PATH}/{plugin}", headers=ASYNC)

    assert answer.status_code == 400, answer.text
    assert answer.json()["data"]["fields"][0]["field"] == "id"
    assert await count_rows(api) == 0


@pytest.mark.parametrize(
    ("body", "target"), [(None, None), ({}, None), ({"id": None}, None), ({"id": "voice"}, "voice")]
)
async def test_one_plugin_or_all_are_updated(
    body: dict[str, Any] | None, target: str | None, api: Api
) -> None:
    answer = await api.client.post(f"{PATH}/update", json=body)

    assert answer.status_code == answer.json()["code"] == 202
    assert answer.json()["message"] == "Plugin update initiated"
    row = await row_of(api, answer.json()["data"]["taskID"])
    assert (row.kind, row.lane, row.target) == ("buddy.plugins.update", "slow", target)
    assert row.id in (await messages(api, "node.local.slow"))[0]


@pytest.mark.parametrize(("body", "target"), [(None, None), ({}, None), ({"id": "voice"}, "voice")])
async def test_one_plugin_or_all_are_loaded_anew(
    body: dict[str, Any] | None, target: str | None, api: Api
) -> None:
    answer = await api.client.post(f"{PATH}/reload", json=body, headers=ASYNC)

    assert answer.status_code == 202
    row = await row_of(api, answer.json()["data"]["taskID"])
    assert (row.kind, row.lane, row.target) == ("buddy.plugins.reload", "fast", target)


@pytest.mark.parametrize("action", ["update", "reload"])
@pytest.mark.parametrize("plugin", [*BAD_IDS, 5, ["a"], {"a": 1}])
async def test_a_bad_id_is_400_and_names_the_field(action: str, plugin: object, api: Api) -> None:
    answer = await api.client.post(f"{PATH}/{action}", json={"id": plugin}, headers=ASYNC)

    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "id"
    assert await count_rows(api) == 0
