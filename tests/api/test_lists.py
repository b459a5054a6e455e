"""The lists that mirror OpenClaw: from the read model, with their age, tags and parts; nothing is spawned."""

import asyncio
import time
from typing import Any

import pytest

from api.conftest import Api
from api.mirroring import ALL, CONTENT, FLAT, NESTED, data_of, publish, set_web
from buddy_api import known_nodes
from buddy_common.adapters.read_model import ReadEntry, ReadModel
from buddy_common.db import nodes
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.schemas.resources import Resource


@pytest.mark.parametrize(("path", "resource"), NESTED.items())
async def test_a_list_is_what_the_node_has_published_and_says_how_old_it_is(
    path: str, resource: Resource, api: Api
) -> None:
    await publish(api, resource)

    data = await data_of(await api.client.get(path))

    assert data["data"] == CONTENT[resource]
    assert (data["source"], data["stale"]) == ("rpc", False)
    assert 0 <= data["age_ms"] < 5000
    assert time.strptime(data["updated_at"], "%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(("path", "resource"), FLAT.items())
async def test_a_status_has_its_own_fields_beside_its_age(path: str, resource: Resource, api: Api) -> None:
    await publish(api, resource)

    data = await data_of(await api.client.get(path))

    assert data | CONTENT[resource] == data
    assert (data["source"], data["stale"]) == ("rpc", False)


@pytest.mark.parametrize(("path", "resource"), ALL.items())
async def test_who_has_the_list_gets_304_until_it_changes_or_goes_stale(
    path: str, resource: Resource, api: Api
) -> None:
    await publish(api, resource)
    tag = (await api.client.get(path)).headers["ETag"]

    again = await api.client.get(path, headers={"If-None-Match": tag})
    await api.wiring.read_model.set_link("local", up=False)
    stale = await api.client.get(path, headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert (await data_of(stale))["stale"] is True


async def test_a_changed_list_has_another_tag_and_is_fetched_anew(api: Api) -> None:
    await publish(api, Resource.SKILLS)
    tag = (await api.client.get("/v1/openclaw/skills")).headers["ETag"]

    await publish(api, Resource.SKILLS, [{"name": "new"}])
    answer = await api.client.get("/v1/openclaw/skills", headers={"If-None-Match": tag})

    assert (await data_of(answer))["data"] == [{"name": "new"}]


async def test_a_changed_list_is_fetched_once_for_all_who_ask(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    get = ReadModel.get

    async def counted(self: ReadModel, node: str, resource: str) -> ReadEntry | None:
        fetched.append(resource)
        return await get(self, node, resource)

    monkeypatch.setattr(ReadModel, "get", counted)
    await publish(api, Resource.SKILLS)

    answers = await asyncio.gather(*(api.client.get("/v1/openclaw/skills") for _ in range(5)))

    assert [(await data_of(answer))["data"] for answer in answers] == [CONTENT[Resource.SKILLS]] * 5
    assert fetched == [Resource.SKILLS]


async def test_the_gateway_gone_the_last_known_is_still_there(api: Api) -> None:
    await publish(api, Resource.SKILLS, linked=False)

    data = await data_of(await api.client.get("/v1/openclaw/skills"))

    assert (data["data"], data["stale"]) == (CONTENT[Resource.SKILLS], True)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/openclaw/sessions?limit=0",
        "/v1/openclaw/sessions?limit=many",
        "/v1/openclaw/sessions?agent=../x",
        "/v1/openclaw/sessions?offset=-1",
        "/v1/openclaw/bots/top?days=91",
        "/v1/openclaw/bots/top?limit=0",
        "/v1/openclaw/skills?refresh=maybe",
        "/v1/openclaw/experts?lang=fr",
        "/v1/openclaw/bots/file",
        "/v1/openclaw/bots/file?id=Main",
        "/v1/openclaw/bots/file?id=main&type=secrets",
        "/v1/openclaw/bots/file?id=main&filename=../openclaw.json",
        "/v1/openclaw/bots/file?id=main&filename=/etc/passwd",
        "/v1/openclaw/bots/file?id=main&filename=-x",
        "/v1/openclaw/bots/file?id=main&filename=a%00b",
        "/v1/openclaw/bots/file?id=main&filename=.git/config",
    ],
)
async def test_what_is_malformed_is_400_and_names_the_field(path: str, api: Api) -> None:
    answer = await api.client.get(path)

    assert answer.status_code == 400, answer.text
    field = path.partition("?")[2].rpartition("&")[2].partition("=")[0] or "id"
    assert answer.json()["data"]["fields"][0]["field"] == field


async def test_a_node_that_registers_later_is_found_when_it_is_named(api: Api) -> None:
    await publish(api, Resource.SKILLS)
    await api.client.get("/v1/openclaw/skills")
    await api.wiring.database.run(lambda session: nodes.touch(session, "late", hostname="there"))

    named = await api.client.get("/v1/capabilities", params={"node": "nobody"})
    late = await api.client.get("/v1/openclaw/dashboard-url", params={"node": "late"})

    assert named.json()["data"] == {"error": "unknown_node", "known": ["late", "local"]}
    assert late.status_code == 200


async def test_nodes_are_looked_up_again_after_a_while_and_kept_without_a_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(api, Resource.SKILLS)
    await api.client.get("/v1/openclaw/skills")
    monkeypatch.setattr(known_nodes, "FRESH_SECONDS", 0.0)
    api.wiring.database.engine.dispose()

    def broken(*_args: object, **_kwargs: object) -> Any:
        raise DatabaseUnavailableError("gone")

    monkeypatch.setattr(nodes, "names", broken)

    assert (await api.client.get("/v1/openclaw/skills")).status_code == 200


async def test_the_dashboard_is_ours_unless_the_operator_has_another(api: Api) -> None:
    own = await api.client.get("/v1/openclaw/dashboard-url")
    set_web(api, external_dashboard_url="https://panel.example.com/")
    other = await api.client.get("/v1/openclaw/dashboard-url")

    assert await data_of(own) == {"url": "http://buddy.test/v1/proxy/"}
    assert await data_of(other) == {"url": "https://panel.example.com/"}
