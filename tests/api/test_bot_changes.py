"""What clients send to change bots: what becomes of it, and what is refused."""

from typing import Any

import pytest

from api.acting import count_rows
from api.changing import (
    assert_named,
    assert_nothing_came_of_it,
    assert_refused,
    assert_refused_telling,
    send,
    submitted,
    worker,
)
from api.conftest import Api
from buddy_common.schemas.config_values import MAX_CHARACTERS

BOTS = "/v1/openclaw/bots"
ROUTES = ["add", "template", "update", "set-identity", "set-model", "delete", "restore"]
WHOLE: dict[str, dict[str, Any]] = {
    "add": {"id": "bot_1"},
    "template": {"expertId": "architect", "newBotId": "bot_1"},
    "update": {"id": "bot_1", "config": {"x": 1}},
    "set-identity": {"id": "bot_1", "name": "x"},
    "set-model": {"id": "bot_1", "model": "x/y"},
    "delete": {"id": "bot_1"},
    "restore": {"id": "bot_1"},
}
BAD_IDS: list[Any] = [
    *("", "..", "../x", "a..b", "-x", "--all", "a\x00", "a\n", "\x1b[31m", "\ud800", "Main", "a/b", "a b"),
    *("a" * 65, "x" * 100_000, "constructor", "__proto__", "小龙虾", None, 5, True, ["a"], {"a": 1}),
]
BAD_MODELS: list[Any] = [
    *("", "..", "a/../b", "-x", "a/", "a//b", "/a", "a\x00", "a\n", "\ud800", "a b", "a" * 193, 5, ["a"], {}),
]
BAD_LABELS: list[Any] = ["", "a\x00", "a\tb", "\x1b]0;x", "\ud800", "a" * 129, 5, ["a"], {}, True]


async def post(api: Api, route: str, **changed: Any) -> Any:
    """Send a body that is right but for what is changed."""
    return await send(api, "POST", f"{BOTS}/{route}", WHOLE[route] | changed)


@pytest.mark.parametrize(
    ("route", "body", "kind", "payload"),
    [
        ("add", {"id": "bot_1"}, "buddy.bots.add", {"model": None, "workspace": None, "name": None}),
        (
            "add",
            {"id": "bot_1", "model": "x/y:free", "workspace": "/w/a", "name": "名", "emoji": "🤖", "foo": 1},
            "buddy.bots.add",
            {"model": "x/y:free", "workspace": "/w/a", "name": "名", "emoji": "🤖"},
        ),
        (
            "update",
            {"id": "bot_1", "config": {"name": "old", "tools": {"a": None}}, "name": "new", "model": "x/y"},
            "buddy.bots.update",
            {"config": {"name": "new", "tools": {"a": None}, "model": "x/y"}},
        ),
        ("update", {"id": "bot_1", "emoji": "🤖"}, "buddy.bots.update", {"config": {"emoji": "🤖"}}),
        (
            "set-identity",
            {"id": "bot_1", "name": "New Name"},
            "buddy.bots.set_identity",
            {"name": "New Name", "emoji": None, "theme": None, "avatar": None},
        ),
        ("set-model", {"id": "bot_1", "model": "x/y"}, "buddy.bots.set_model", {"model": "x/y"}),
        ("delete", {"id": "bot_1"}, "buddy.bots.delete", {}),
        (
            "restore",
            {"id": "bot_1", "archive": "bot_1@20260101-000000-2"},
            "buddy.bots.restore",
            {"archive": "bot_1@20260101-000000-2"},
        ),
        ("restore", {"id": "bot_1"}, "buddy.bots.restore", {"archive": None}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_change_becomes_its_job(
    route: str, body: dict[str, Any], kind: str, payload: dict[str, Any], api: Api
) -> None:
    row = await submitted(api, "POST", f"{BOTS}/{route}", body)

    assert (row.kind, row.target, row.lane) == (kind, "bot_1", "fast")
    assert (
        row.payload
        == {"id": "bot_1", "base_hash": None, **({"emoji": None} if route == "add" else {})} | payload
    )


@pytest.mark.parametrize("name", ["newBotId", "botId"])
async def test_a_template_becomes_a_job_with_all_its_files(name: str, api: Api) -> None:
    row = await submitted(api, "POST", f"{BOTS}/template", {"expertId": "architect", name: "my_dev_lead"})

    assert (row.kind, row.target) == ("buddy.bots.template", "my_dev_lead")
    assert row.payload["expert"] == "architect"
    assert row.payload["files"]["SOUL.md"]
    assert row.payload["name"]


async def test_a_template_that_nobody_has_is_404(api: Api) -> None:
    answer = await post(api, "template", expertId="nobody")

    await assert_refused_telling(api, answer, "nobody", 404)
    assert answer.json()["data"]["error"] == "unknown_expert"


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("add", "创建成功"),
        ("update", "配置已更新"),
        ("set-identity", "名称修改成功"),
        ("set-model", "模型修改成功"),
        ("delete", "机器人已彻底移除"),
    ],
)
async def test_a_change_that_is_made_is_told_in_the_words_of_the_guide(
    route: str, message: str, api: Api
) -> None:
    async with worker(api):
        answer = await post(api, route)
    assert (answer.status_code, answer.json()["data"]["message"]) == (200, message)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_bad_id_is_400_and_nothing_is_submitted(route: str, api: Api) -> None:
    name = "newBotId" if route == "template" else "id"
    for bad in BAD_IDS:
        assert_named(await post(api, route, **{name: bad}), name)
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize(
    ("route", "name"),
    [("add", "model"), ("set-model", "model"), ("template", "modelId"), ("update", "model")],
)
async def test_a_bad_model_is_400_and_nothing_is_submitted(route: str, name: str, api: Api) -> None:
    for bad in BAD_MODELS:
        assert_named(await post(api, route, **{name: bad}), name)
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize(
    ("route", "name"),
    [
        *(("add", name) for name in ("name", "emoji")),
        *(("set-identity", name) for name in ("name", "emoji", "theme", "avatar")),
        *(("update", name) for name in ("name", "emoji")),
        ("template", "name"),
    ],
)
async def test_a_bad_label_is_400_and_nothing_is_submitted(route: str, name: str, api: Api) -> None:
    for bad in BAD_LABELS:
        assert_named(await post(api, route, **{name: bad}), name)
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize("workspace", ["/w/a", None])
async def test_a_workspace_may_be_changed_or_taken_out(workspace: str | None, api: Api) -> None:
    async with worker(api):
        answer = await post(api, "update", config={"workspace": workspace})
    assert answer.status_code == 200


async def test_a_bad_workspace_is_400_and_nothing_is_submitted(api: Api) -> None:
    for bad in [
        "",
        "a",
        "./a",
        "~/a",
        "/",
        "/a/../b",
        "/a\x00",
        "/a\nb",
        "/\ud800",
        "/" + "a" * 512,
        "/" + "a" * 256,
        "/a/" + "工" * 86,
        5,
        ["/a"],
    ]:
        await assert_refused(api, await post(api, "update", config={"workspace": bad}), "config")
        await assert_refused(api, await post(api, "add", workspace=bad), "workspace")


async def test_a_bad_archive_is_400_and_nothing_is_submitted(api: Api) -> None:
    for bad in ["", "..", "../x", "bot_1", "-x", "a@20260101-000000\x00", "\ud800", "x" * 200, 5, []]:
        assert_named(await post(api, "restore", archive=bad), "archive")
    await assert_nothing_came_of_it(api)


async def test_a_bad_template_or_language_is_refused_and_nothing_is_submitted(api: Api) -> None:
    experts: list[Any] = ["x" * 65, None, 5, [], "\ud800"]
    for bad in experts:
        assert_named(await post(api, "template", expertId=bad), "expertId")
    languages: list[Any] = ["fr", 5, None]
    for bad in languages:
        assert_named(await post(api, "template", lang=bad), "lang")
    for unknown in ["", "..", "../../etc/passwd", "a\x00", "-x"]:
        assert (await post(api, "template", expertId=unknown)).status_code == 404
    assert await count_rows(api) == 0


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


BAD_CONFIGS: list[str] = [
    *('"x"', "5", "[]", "null", '[{"x":1}]', "true"),
    '{"$include":"./secrets.json5"}',
    '{"tools":{"x":[{"$include":"/etc/passwd"}]}}',
    '{"__proto__":{"x":1}}',
    '{"tools":{"constructor":{"prototype":{}}}}',
    *('{"x":NaN}', '{"x":Infinity}', '{"x":-Infinity}', '{"x":1e999}', '{"x":9007199254740993}'),
    *('{"x":"a\\u0000"}', '{"a\\u0000":1}', '{"x":"\\ud800"}', '{"\\ud800":1}', '{"x":[{"y":"\\udfff"}]}'),
    '{"x":"' + "x" * (MAX_CHARACTERS + 1) + '"}',
    '{"x":[' + "0," * 20_000 + "0]}",
    *(nested(33), nested(500)),
]


@pytest.mark.parametrize("config", BAD_CONFIGS, ids=lambda text: text[:40])
async def test_a_bad_config_is_400_and_nothing_is_submitted(config: str, api: Api) -> None:
    body = f'{{"id":"bot_1","config":{config}}}'
    answer = await send(api, "POST", f"{BOTS}/update", body)

    await assert_refused(api, answer, "config")


@pytest.mark.parametrize("depth", [10_000, 300_000])
async def test_a_body_that_is_nested_too_deep_to_be_read_is_400(depth: int, api: Api) -> None:
    body = f'{{"id":"bot_1","config":{nested(depth)}}}'
    answer = await send(api, "POST", f"{BOTS}/update", body)

    await assert_refused_telling(api, answer, "body")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("content", ["", "{", "[]", "5", "null", '"x"', "\x00", "[1,2]"])
async def test_a_body_that_is_no_object_is_400(content: str, route: str, api: Api) -> None:
    answer = await send(api, "POST", f"{BOTS}/{route}", content)

    assert answer.status_code == 400
    assert await count_rows(api) == 0


@pytest.mark.parametrize("route", ROUTES)
async def test_a_body_over_the_limit_is_413(route: str, api: Api) -> None:
    answer = await post(api, route, config={"x": "x" * 10_000_000})

    await assert_refused_telling(api, answer, "body is larger", 413)


@pytest.mark.parametrize(("route", "field"), [("update", "config"), ("set-identity", "name")])
async def test_a_change_of_nothing_is_400(route: str, field: str, api: Api) -> None:
    await assert_refused(api, await api.client.post(f"{BOTS}/{route}", json={"id": "bot_1"}), field)


async def test_a_config_at_its_limits_with_flat_fields_beside_it_is_still_answered(api: Api) -> None:
    answer = await post(api, "update", config={"x": [0] * 19_998}, name="x", model="x/y", emoji="x")

    await assert_refused_telling(api, answer, "20000 values")
