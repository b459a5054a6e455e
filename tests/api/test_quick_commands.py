"""Quick commands: rows that the api writes itself, each change with its audit event."""

import json
from typing import Any

import httpx
import pytest
from sqlmodel import Session, select

from api.acting import audit, count_rows
from api.conftest import ORIGIN, TOKEN, Api
from buddy_common.adapters.access import COOKIE
from buddy_common.db import events, nodes
from buddy_common.db.tables import QuickCommandRow

PATH = "/v1/openclaw/chat/quick-commands"
STANDUP = {"label": "每日站会", "prompt": "请列出昨天的进展。", "icon": "☀️"}


async def listed(api: Api, node: str = "local") -> list[dict[str, Any]]:
    answer = await api.client.get(PATH, params={"node": node})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def own(api: Api, node: str = "local") -> list[dict[str, Any]]:
    return [command for command in await listed(api, node) if not command["system"]]


async def add(api: Api, *, node: str = "local", **body: Any) -> httpx.Response:
    return await api.client.post(PATH, json=body or STANDUP, params={"node": node})


async def added(api: Api, *, node: str = "local", **body: Any) -> int:
    answer = await add(api, node=node, **body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["data"]["id"])


async def test_every_node_has_system_commands_from_the_start(api: Api) -> None:
    found = await listed(api)

    assert len(found) == 8
    assert all(command["system"] and command["icon"] for command in found)
    assert [command["id"] for command in found] == sorted(command["id"] for command in found)
    assert found[0]["label"] == "状态汇报"


async def test_a_command_that_was_added_comes_last_in_the_list(api: Api) -> None:
    answer = await add(api)

    assert answer.json()["code"] == answer.status_code == 200
    assert answer.json()["data"] == {"id": answer.json()["data"]["id"], "status": "success"}
    newest = (await listed(api))[-1]
    assert {name: newest[name] for name in ("id", "system", *STANDUP)} == {
        **STANDUP,
        "id": answer.json()["data"]["id"],
        "system": False,
    }
    assert await count_rows(api) == 0  # of tasks


async def test_adding_and_deleting_are_in_the_audit(api: Api) -> None:
    command_id = await added(api)
    await api.client.delete(f"{PATH}/{command_id}")

    deleted, created = (await audit(api))[:2]

    assert (created["action"], deleted["action"]) == ("add_quick_command", "delete_quick_command")
    for event in (created, deleted):
        assert event["status"] == "success"
        assert event["user"] == "admin"
        assert event["address"] == "203.0.113.7"
        assert event["node"] == "local"
        assert event["target"] == f"{command_id} 每日站会"
        assert event["taskID"] is None
    said = json.dumps(STANDUP, ensure_ascii=False)
    assert created["detail"] == f"quick command {command_id}: null → {said}"
    assert deleted["detail"] == f"quick command {command_id}: {said} → null"


async def test_an_icon_may_be_left_out_and_space_around_a_text_is(api: Api) -> None:
    await added(api, label="  站会 ", prompt="\n说一下进展\n")

    (command,) = await own(api)
    assert (command["label"], command["prompt"], command["icon"]) == ("站会", "说一下进展", None)


async def test_what_is_as_long_as_it_may_be_is_kept_whole(api: Api) -> None:
    body: dict[str, Any] = {"label": "长" * 64, "prompt": "问" * 4000, "icon": "🦞" * 64}
    await added(api, **body)

    (command,) = await own(api)
    assert {name: command[name] for name in body} == body


BAD: list[tuple[str, object]] = [
    ("label", ""),
    ("label", "  "),
    ("label", "x" * 65),
    ("label", None),
    ("label", 5),
    ("label", "a\x00b"),
    ("label", ["a"]),
    ("prompt", ""),
    ("prompt", "x" * 4001),
    ("prompt", "a\x00b"),
    ("prompt", {}),
    ("icon", "x" * 65),
    ("icon", ""),
    ("icon", 1),
]


@pytest.mark.parametrize(("field", "value"), BAD)
async def test_what_cannot_be_is_400_names_the_field_and_writes_nothing(
    field: str, value: object, api: Api
) -> None:
    answer = await api.client.post(PATH, json={**STANDUP, field: value})

    assert answer.status_code == 400
    assert field in answer.json()["data"]["fields"][0]["field"]
    assert await own(api) == []
    assert await audit(api) == []


@pytest.mark.parametrize("field", ["label", "prompt", "icon"])
async def test_half_of_a_surrogate_pair_is_400(field: str, api: Api) -> None:
    text = '{"label": "a", "prompt": "b", "icon": "c"}'.replace(f'"{field}": "', f'"{field}": "\\ud83e')
    answer = await api.client.post(PATH, content=text, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert field in answer.json()["data"]["fields"][0]["field"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"{}"])
async def test_a_body_that_is_none_is_400(body: bytes, api: Api) -> None:
    answer = await api.client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_a_deleted_command_is_gone_and_its_id_never_comes_back(api: Api) -> None:
    command_id = await added(api)

    answer = await api.client.delete(f"{PATH}/{command_id}")

    assert answer.json()["data"] == {"status": "success", "message": "快捷指令已删除"}
    assert await own(api) == []
    assert (await api.client.delete(f"{PATH}/{command_id}")).status_code == 404
    assert await added(api) > command_id


async def test_a_system_command_stays(api: Api) -> None:
    before = await listed(api)

    answer = await api.client.delete(f"{PATH}/{before[0]['id']}")

    assert answer.status_code == 403
    assert answer.json()["data"]["error"] == "system_command"
    assert await listed(api) == before
    assert await audit(api) == []


@pytest.mark.parametrize("command_id", ["4711", str(2**63 - 1)])
async def test_an_unknown_command_is_404(command_id: str, api: Api) -> None:
    answer = await api.client.delete(f"{PATH}/{command_id}")
    assert answer.status_code == 404
    assert answer.json()["data"]["error"] == "unknown_quick_command"


@pytest.mark.parametrize("command_id", ["0", "-1", "x", "1.5", str(2**63), "%00", "1%20or%201=1"])
async def test_what_is_no_id_is_400(command_id: str, api: Api) -> None:
    answer = await api.client.delete(f"{PATH}/{command_id}")
    assert answer.status_code == 400
    assert answer.json()["data"]["fields"][0]["field"] == "command_id"


async def test_a_node_sees_and_deletes_its_own_commands_only(api: Api) -> None:
    await api.wiring.database.run(lambda session: nodes.touch(session, "vps-1", hostname="there"))
    command_id = await added(api, node="vps-1")

    assert await own(api) == []
    assert (await api.client.delete(f"{PATH}/{command_id}", params={"node": "local"})).status_code == 404
    assert [command["id"] for command in await own(api, "vps-1")] == [command_id]
    assert (await add(api, node="nowhere")).status_code == 404


async def test_a_command_without_its_audit_event_is_not_written(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no event")

    command_id = await added(api)
    monkeypatch.setattr(events, "add", fail)

    assert (await add(api, label="b", prompt="b")).status_code == 500
    assert (await api.client.delete(f"{PATH}/{command_id}")).status_code == 500
    assert [command["id"] for command in await own(api)] == [command_id]


async def test_a_cookie_may_change_them_from_our_own_pages_only(api: Api) -> None:
    cookie = {"Cookie": f"{COOKIE}={TOKEN}"}

    foreign = await api.stranger.post(PATH, json=STANDUP, headers=cookie | {"Origin": "http://evil.test"})
    ours = await api.stranger.post(PATH, json=STANDUP, headers=cookie | {"Origin": ORIGIN})

    assert (foreign.status_code, ours.status_code) == (403, 200)
    assert foreign.json()["data"]["error"] == "cross_origin"
    assert len(await own(api)) == 1


async def test_a_text_is_data_and_never_sql(api: Api) -> None:
    text = "'); DROP TABLE quick_commands; --"
    await added(api, label=text, prompt=text)

    def rows(session: Session) -> list[str]:
        return [row.label for row in session.exec(select(QuickCommandRow)).all()]

    assert text in await api.wiring.database.run(rows)
