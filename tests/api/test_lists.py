"""The lists that mirror OpenClaw: from the read model, with their age, tags and parts; nothing is spawned."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.conftest import Api
from buddy_api import known_nodes
from buddy_api.mirrored import REVALIDATE_SECONDS
from buddy_common.adapters.read_model import ReadEntry, ReadModel
from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion
from buddy_common.db import nodes
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.schemas.resources import Resource

TODAY = int(time.time()) // 86_400
BOT: dict[str, Any] = {
    "id": "main", "name": "核心Bot", "model": "p/m", "emoji": None, "workspace": "/w", "isDefault": True,
    "agentName": None, "identity": {},
}  # fmt: skip
CONTENT: dict[Resource, Any] = {
    Resource.BOTS_MODELS: {"bots": [BOT], "models": []},
    Resource.MODELS_CONFIG: {"providers": [{"name": "p", "apiKey": "sk-…abcd"}], "defaultModel": "p/m"},
    Resource.SKILLS: [{"name": "weather", "bundled": True}, {"name": "mine", "bundled": False}],
    Resource.PLUGINS: [
        {"id": "xai", "enabled": False, "status": "disabled", "origin": "bundled"},
        {"id": "offered", "enabled": False, "status": "not-installed", "installed": False},
        {"id": "openclaw-weixin", "enabled": True, "status": "loaded", "origin": "global"},
    ],
    Resource.SESSIONS: [
        {"agentId": agent, "key": f"agent:{agent}:{number}", "updatedAt": 100 - number}
        for number, agent in enumerate(["main", "bot_1", "main", "bot_1", "main"])
    ],
    Resource.CHAT: {"enabled": True},
    Resource.WECHAT: {
        "installed": False, "enabled": False, "configured": False, "pluginVersion": None, "accounts": [],
    },
    Resource.CAPABILITIES: {
        "version": "2026.9.6", "protocol": 4, "connected": True, "problem": None, "routes": [],
    },
    Resource.BOTS_TOP: [
        {
            "id": name, "name": name, "emoji": None, "model": None, "lastAskedAt": None,
            "questions": {str(TODAY): today, str(TODAY - 20): before}, "sessions": {str(TODAY): 1},
        }
        for name, today, before in [("quiet", 0, 1), ("busy", 3, 0), ("once-busy", 1, 9)]
    ],
}  # fmt: skip
NESTED = {
    "/v1/openclaw/bots-models": Resource.BOTS_MODELS,
    "/v1/openclaw/models/config": Resource.MODELS_CONFIG,
    "/v1/openclaw/skills": Resource.SKILLS,
    "/v1/openclaw/plugins": Resource.PLUGINS,
    "/v1/openclaw/sessions": Resource.SESSIONS,
}
FLAT = {
    "/v1/openclaw/chat/status": Resource.CHAT,
    "/v1/wechat/config/status": Resource.WECHAT,
    "/v1/capabilities": Resource.CAPABILITIES,
}
ALL = {**NESTED, **FLAT, "/v1/openclaw/bots/top": Resource.BOTS_TOP}


async def publish(
    api: Api, resource: Resource, value: Any = None, *, fresh_seconds: float = 30, linked: bool = True
) -> None:
    text = json.dumps(CONTENT[resource] if value is None else value)
    await api.wiring.read_model.put(
        "local", resource, text, source="rpc", fresh_seconds=fresh_seconds, of_gateway=True
    )
    await api.wiring.read_model.set_link("local", up=linked)


async def data_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


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


async def test_an_old_list_is_answered_at_once_and_asked_for_once_a_second(api: Api) -> None:
    await publish(api, Resource.SKILLS)
    await make_older(api, Resource.SKILLS, REVALIDATE_SECONDS + 1)

    for _ in range(5):
        assert (await api.client.get("/v1/openclaw/skills")).status_code == 200

    question = await api.wiring.requests.next_question("local", seconds=0.1)
    assert question is not None
    assert (question.id, question.resources) == ("", ["skills"])
    assert await api.wiring.requests.next_question("local", seconds=0.1) is None


async def test_a_young_list_is_asked_for_by_nobody(api: Api) -> None:
    await publish(api, Resource.SKILLS)

    await api.client.get("/v1/openclaw/skills")

    assert await api.wiring.requests.next_question("local", seconds=0.1) is None


async def test_refresh_waits_for_the_reader_and_shows_what_it_read(api: Api) -> None:
    await publish(api, Resource.SKILLS)

    async with reader(api, {Resource.SKILLS: [{"name": "fresh"}]}) as asked:
        answer = await api.client.get("/v1/openclaw/skills", params={"refresh": "true"})

    assert (await data_of(answer))["data"] == [{"name": "fresh"}]
    assert [question.resources for question in asked] == [["skills"]]


async def test_what_was_never_published_is_asked_for_and_waited_for(api: Api) -> None:
    async with reader(api, {Resource.SKILLS: [{"name": "first"}]}):
        answer = await api.client.get("/v1/openclaw/skills")

    assert (await data_of(answer))["data"] == [{"name": "first"}]


async def test_refresh_without_a_reader_ends_with_the_last_known(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(api, Resource.SKILLS)
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.2)

    data = await data_of(await api.client.get("/v1/openclaw/skills", params={"refresh": "true"}))

    assert data["data"] == CONTENT[Resource.SKILLS]


async def test_nothing_known_and_no_reader_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.wiring.lists, "_wait_seconds", 0.2)

    answer = await api.client.get("/v1/openclaw/skills")

    assert (answer.status_code, answer.json()["data"]["error"]) == (503, "not_reported")


async def test_nothing_known_says_why_it_could_not_be_read(api: Api) -> None:
    failed = ReadAnswer(data={"failed": ["skills"], "reasons": {"skills": "The file has a stray comma."}})

    async with reader(api, answer=failed):
        answer = await api.client.get("/v1/openclaw/skills")

    assert (answer.status_code, answer.json()["data"]["error"]) == (503, "not_reported")
    assert "The file has a stray comma." in answer.text


async def test_a_bots_file_comes_from_its_node_with_a_tag(api: Api) -> None:
    file = {"name": "SOUL.md", "content": "我是谁", "size": 9, "updatedAt": "2026-03-28T10:00:00+00:00"}

    async with reader(api, answer=ReadAnswer(data=file)) as asked:
        first = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})
        known = {"If-None-Match": first.headers["ETag"]}
        second = await api.client.get(
            "/v1/openclaw/bots/file", params={"id": "main", "type": "soul"}, headers=known
        )
        await api.client.get("/v1/openclaw/bots/file", params={"id": "main", "filename": "memory/昨天.md"})

    assert await data_of(first) == file
    assert second.status_code == 304
    assert [question.file for question in asked] == ["SOUL.md", "SOUL.md", "memory/昨天.md"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("unknown_bot", 404),
        ("unknown_file", 404),
        ("bad_file", 400),
        ("not_reported", 503),
        ("gateway_unreachable", 500),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(error: str, status: int, api: Api) -> None:
    async with reader(api, answer=ReadAnswer(error=error, message="It lies outside.")):
        answer = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})

    assert answer.status_code == status, answer.text
    if status != 500:
        assert answer.json()["data"]["error"] == error


async def test_a_node_that_does_not_answer_for_a_file_is_504(api: Api) -> None:
    set_web(api, wait_seconds=0.2)

    answer = await api.client.get("/v1/openclaw/bots/file", params={"id": "main"})

    assert (answer.status_code, answer.json()["data"]["error"]) == (504, "reader_silent")


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


def set_web(api: Api, **changes: object) -> None:
    """Let the app go on with other settings."""
    w = api.wiring
    web = w.config.web.model_copy(update=changes)
    api.app.state.wiring = replace(w, config=replace(w.config, web=web))


async def make_older(api: Api, resource: Resource, seconds: float) -> None:
    head = json.loads(str(await api.wiring.redis.hget("buddy:local:read", resource)))
    head["updated_at"] -= seconds
    await api.wiring.redis.hset("buddy:local:read", resource, json.dumps(head))


class reader:  # noqa: N801 - used like a function
    """A node's reader that publishes, or answers, the same to every question."""

    def __init__(
        self, api: Api, content: dict[Resource, Any] | None = None, *, answer: ReadAnswer | None = None
    ) -> None:
        self._api = api
        self._content = content or {}
        self._answer = answer or ReadAnswer()
        self._asked: list[ReadQuestion] = []

    async def __aenter__(self) -> list[ReadQuestion]:
        self._task = asyncio.create_task(self._run())
        return self._asked

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        requests = self._api.wiring.requests
        while True:
            question = await requests.next_question("local", seconds=1)
            if question is not None:
                self._asked.append(question)
                for resource, value in self._content.items():
                    await publish(self._api, resource, value)
                await requests.answer("local", question, self._answer)
