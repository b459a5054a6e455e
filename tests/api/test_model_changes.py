"""What clients send to change providers and models: what becomes of it, and what is refused."""

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

MODELS = "/v1/openclaw/models"
BAD_PROVIDERS: list[Any] = [
    *("", "..", "a..b", "-x", "a/b", "a:b", "a b", "a\x00", "a\n", "\ud800", "a" * 65, "小龙虾"),
    *("__proto__", "constructor", "prototype", None, 5, True, ["a"], {}),
]
BAD_MODELS: list[Any] = [
    *("", "..", "a/../b", "-x", "a/", "a//b", "/a", "a b", "a\x00", "a\n", "\ud800", "a" * 193, "a?b"),
    *(None, 5, True, ["a"], {}),
]


def fields(name: str, *values: Any) -> list[tuple[str, Any]]:
    return [(name, value) for value in values]


async def post(api: Api, route: str, body: Any) -> Any:
    return await send(api, "POST", f"{MODELS}/{route}", body)


@pytest.mark.parametrize("name", ["provider", "providerName", "name"])
async def test_a_provider_becomes_its_job(name: str, api: Api) -> None:
    given = {
        "baseUrl": "https://x.example/v1",
        "apiKey": None,
        "api": "openai-completions",
        "extra": {"a": [1]},
    }

    row = await submitted(api, "POST", f"{MODELS}/provider", {name: "aliyun", **given})

    assert (row.kind, row.target) == ("buddy.models.set_provider", "aliyun")
    assert row.payload == {"base_hash": None, "provider": "aliyun", "config": given}


@pytest.mark.parametrize(("provider", "model"), [("provider", "id"), ("providerName", "modelId")])
async def test_a_model_becomes_its_job(provider: str, model: str, api: Api) -> None:
    body = {provider: "aliyun", model: "meta/llama:free", "contextWindow": 131072, "input": ["text"]}

    row = await submitted(api, "POST", f"{MODELS}/provider/model", body)

    assert (row.kind, row.target) == ("buddy.models.set_model", "aliyun/meta/llama:free")
    assert row.payload == {
        "base_hash": None,
        "provider": "aliyun",
        "model": "meta/llama:free",
        "config": {"contextWindow": 131072, "input": ["text"]},
    }


@pytest.mark.parametrize("name", ["model", "modelId", "id"])
async def test_the_default_becomes_its_job(name: str, api: Api) -> None:
    row = await submitted(api, "POST", f"{MODELS}/set-default", {name: "aliyun/a/b"})

    assert (row.kind, row.payload) == ("buddy.models.set_default", {"base_hash": None, "model": "aliyun/a/b"})


async def test_deletions_become_their_jobs(api: Api) -> None:
    provider = await submitted(api, "DELETE", f"{MODELS}/provider/aliyun")
    model = await submitted(api, "DELETE", f"{MODELS}/provider/aliyun/model/meta/llama:free")

    assert (provider.kind, provider.target) == ("buddy.models.delete_provider", "aliyun")
    assert (model.kind, model.target) == ("buddy.models.delete_model", "aliyun/meta/llama:free")
    assert model.payload == {"base_hash": None, "provider": "aliyun", "model": "meta/llama:free"}


async def test_a_provider_that_is_saved_is_told(api: Api) -> None:
    async with worker(api, result={"applied": "hot"}):
        answer = await post(api, "provider", {"provider": "aliyun", "api": "x"})
    assert answer.json()["data"]["message"] == "渠道已保存"


@pytest.mark.parametrize("route", ["provider", "provider/model"])
async def test_a_bad_provider_is_400_and_nothing_is_submitted(route: str, api: Api) -> None:
    for bad in BAD_PROVIDERS:
        assert_named(await post(api, route, {"provider": bad, "id": "x"}), "provider")
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize(("route", "name"), [("provider/model", "id"), ("set-default", "model")])
async def test_a_bad_model_is_400_and_nothing_is_submitted(route: str, name: str, api: Api) -> None:
    for bad in BAD_MODELS:
        assert_named(await post(api, route, {"provider": "x", name: bad}), name)
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize("path", ["provider/{}", "provider/{}/model/x"])
async def test_a_bad_provider_in_a_path_is_refused_and_nothing_is_submitted(path: str, api: Api) -> None:
    for bad in [
        "%2e%2e%2e",
        "-x",
        "%ff",
        "a%20b",
        "a" * 65,
        "constructor",
        "__proto__",
        "a%3Ab",
    ]:
        answer = await api.client.delete(f"{MODELS}/{path.format(bad)}")
        await assert_refused(api, answer, "provider")


async def test_a_bad_model_in_a_path_is_refused_and_nothing_is_submitted(api: Api) -> None:
    for bad in ["%2e%2e%2e", "-x", "%ff", "a%20b", "a" * 193, "a/", "a//b", "a%3Fb"]:
        answer = await api.client.delete(f"{MODELS}/provider/x/model/{bad}")
        assert_named(answer, "model")
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize(("path", "field"), [("provider/x/model/a{}", "model"), ("provider/x{}", "provider")])
async def test_a_control_character_in_a_path_is_refused_and_not_overlooked(
    path: str, field: str, api: Api
) -> None:
    for bad in ["%00", "%0D", "%7F", "%1B", "%09", "%0A", "%0D%0A"]:
        assert_named(await api.client.delete(f"{MODELS}/{path.format(bad)}"), field)
    await assert_nothing_came_of_it(api)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *fields("baseUrl", "file:///etc/passwd", "ftp://x", "x", "", "https://a b", "http://a\n", 5, []),
        ("baseUrl", "https://" + "x" * 2048),
        *fields("apiKey", 5, ["x"], "x" * 4097, "\ud800", {"$include": "x"}),
        *fields("api", 5, {}, "x" * 65),
        *fields("models", "x", {}, 5, [{}] * 1001),
        *fields("models.0", ["x"], [None], [[]], [{"$include": "./x"}]),
        ("models.0", [{"id": "x", "baseUrl": "file:///x"}]),
        *fields("headers", {"$include": "x"}, {"a": {"__proto__": 1}}, "a\x00", {"a\x00": 1}),
        *fields("$include", "./x", None, []),
        *((bad, 1) for bad in ("__proto__", "constructor", "prototype")),
        ("request", {"baseUrl": "file:///x"}),
    ],
    ids=ascii,
)
async def test_a_bad_field_of_a_provider_is_400_and_nothing_is_submitted(
    field: str, value: Any, api: Api
) -> None:
    answer = await post(api, "provider", {"provider": "x", field.partition(".")[0]: value})
    await assert_refused(api, answer, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("baseUrl", "file:///etc/passwd"),
        ("$include", "./x"),
        ("cost", {"$include": "./x"}),
        ("__proto__", {}),
        ("name", "\ud800"),
        ("contextWindow", 10**30),
        ("headers", {"a": [{"constructor": 1}]}),
    ],
    ids=ascii,
)
async def test_a_bad_field_of_a_model_is_400_and_nothing_is_submitted(
    field: str, value: Any, api: Api
) -> None:
    body = {"provider": "x", "id": "y", field: value}
    await assert_refused(api, await post(api, "provider/model", body), field)


@pytest.mark.parametrize("route", ["provider", "provider/model"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '{"\\ud800":1}', '["\\ud800"]'])
async def test_what_is_no_json_is_400_and_nothing_is_submitted(value: str, route: str, api: Api) -> None:
    answer = await post(api, route, f'{{"provider":"x","id":"y","extra":{value}}}')
    await assert_refused(api, answer, "extra")


@pytest.mark.parametrize("route", ["provider", "provider/model"])
@pytest.mark.parametrize("depth", [31, 32, 33, 300])
async def test_what_is_nested_too_deep_is_400_and_nothing_is_submitted(
    depth: int, route: str, api: Api
) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    answer = await post(api, route, f'{{"provider":"x","id":"y","extra":{nested}}}')
    await assert_refused_telling(api, answer, "nested deeper")


async def test_a_key_that_cannot_be_text_is_400(api: Api) -> None:
    answer = await post(api, "provider", '{"provider":"x","\\ud800":1}')
    await assert_refused(api, answer, "body")


@pytest.mark.parametrize("route", ["provider", "provider/model", "set-default"])
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "null", '"x"', "{}", '{"a":' * 10_000 + "1" + "}" * 10_000]
)
async def test_a_body_that_names_nothing_is_400(content: str, route: str, api: Api) -> None:
    answer = await post(api, route, content)

    assert answer.status_code == 400
    assert await count_rows(api) == 0


@pytest.mark.parametrize("route", ["provider", "provider/model", "set-default"])
async def test_a_body_over_the_limit_is_413(route: str, api: Api) -> None:
    answer = await post(api, route, {"provider": "x", "id": "y", "extra": "x" * 10_000_000})

    await assert_refused_telling(api, answer, "body is larger", 413)


async def test_a_masked_key_and_references_go_to_the_worker_as_they_are(api: Api) -> None:
    body = {"provider": "x", "apiKey": "sk-…abcd", "baseUrl": "${URL}", "headers": {"A": "${KEY}"}}

    row = await submitted(api, "POST", f"{MODELS}/provider", body)

    assert row.payload["config"]["baseUrl"] == "${URL}"
    assert row.payload["config"]["headers"] == {"A": "${KEY}"}
