"""Pages, filters and rankings of the lists: what was made of what a node has published."""

from typing import Any

import pytest

from api.conftest import Api
from api.mirroring import ALL, CONTENT, data_of, publish
from buddy_common.schemas.resources import Resource


@pytest.mark.parametrize("path", ["/v1/openclaw/skills", "/v1/openclaw/plugins"])
async def test_only_what_was_installed_is_listed_on_demand(path: str, api: Api) -> None:
    await publish(api, ALL[path])

    data = await data_of(await api.client.get(path, params={"installed": "true"}))

    assert data["data"] == CONTENT[ALL[path]][-1:]


async def test_sessions_are_all_there_and_can_be_paged_and_filtered(api: Api) -> None:
    await publish(api, Resource.SESSIONS)

    async def keys(**query: Any) -> tuple[list[str], int]:
        data = await data_of(await api.client.get("/v1/openclaw/sessions", params=query))
        return [row["key"].removeprefix("agent:") for row in data["data"]], data["total"]

    assert await keys() == (["main:0", "bot_1:1", "main:2", "bot_1:3", "main:4"], 5)
    assert await keys(limit=2) == (["main:0", "bot_1:1"], 5)
    assert await keys(limit=2, offset=4) == (["main:4"], 5)
    assert await keys(agent="bot_1") == (["bot_1:1", "bot_1:3"], 2)
    assert await keys(agent="nobody") == ([], 0)


async def test_a_page_that_is_the_same_has_another_tag_once_there_are_more_rows(api: Api) -> None:
    await publish(api, Resource.SESSIONS)
    tag = (await api.client.get("/v1/openclaw/sessions?limit=1")).headers["ETag"]

    await publish(api, Resource.SESSIONS, CONTENT[Resource.SESSIONS][:-1])
    answer = await api.client.get("/v1/openclaw/sessions?limit=1", headers={"If-None-Match": tag})

    assert (await data_of(answer))["total"] == 4


async def test_bots_are_ranked_by_what_they_were_asked_in_so_many_days(api: Api) -> None:
    await publish(api, Resource.BOTS_TOP)

    async def ranks(**query: Any) -> list[tuple[str, int]]:
        data = await data_of(await api.client.get("/v1/openclaw/bots/top", params=query))
        assert data["total"] == 3
        return [(row["id"], row["messages"]) for row in data["data"]]

    assert await ranks() == [("once-busy", 10), ("busy", 3), ("quiet", 1)]
    assert await ranks(days=7, limit=2) == [("busy", 3), ("once-busy", 1)]


async def test_ranking_tells_when_a_bot_was_asked_last(api: Api) -> None:
    rows = [
        CONTENT[Resource.BOTS_TOP][0] | {"id": name, "lastAskedAt": asked}
        for name, asked in [("asked", 1_774_663_200_500), ("never", None)]
    ]
    await publish(api, Resource.BOTS_TOP, rows)

    ranked = (await data_of(await api.client.get("/v1/openclaw/bots/top")))["data"]

    assert [row["lastAskedAt"] for row in ranked] == ["2026-03-28T02:00:00+00:00", None]
