"""Compressed answers: the same JSON, one member, made once for all, and only for who takes it."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from api.conftest import Api
from buddy_api import ready_gzip
from buddy_api.ready_gzip import ReadyGzip, accepts_gzip, pack
from buddy_common.schemas.resources import Resource

SESSIONS = [
    {"agentId": "main", "key": f"agent:main:{number}", "label": "晨会", "updatedAt": 5000 - number}
    for number in range(1000)
]


async def publish(api: Api, resource: Resource, value: Any) -> None:
    await api.wiring.read_model.put("local", resource, json.dumps(value), source="rpc", fresh_seconds=30)


async def raw(api: Api, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Ask, and leave the answer as it is."""
    async with api.client.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize("end", [b"", b",}", b"x" * 100_000], ids=["none", "short", "long"])
@pytest.mark.parametrize("pieces", [(), (b"",), (b'{"a":', b"[1]" * 50_000)], ids=["none", "empty", "two"])
def test_beginning_and_end_are_one_member_of_gzip(pieces: tuple[bytes, ...], end: bytes) -> None:
    body = pack(*pieces).with_end(end)
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)  # reads one member and no more

    assert member.decompress(body) == b"".join(pieces) + end
    assert (member.eof, member.unused_data) == (True, b"")


def test_one_beginning_takes_many_ends() -> None:
    packed = pack(b"beginning ")

    assert [gzip.decompress(packed.with_end(end)) for end in (b"one", b"two")] == [
        b"beginning one",
        b"beginning two",
    ]


@pytest.mark.parametrize(
    "header", ["gzip", "gzip, deflate, br", "br;q=1.0, GZIP ; q=0.8", "*", "*;q=0.1", "identity;q=0.5, gzip"]
)
def test_gzip_is_for_who_takes_it(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "br",
        "identity",
        "gzip;q=0",
        "gzip;q=0.000, *",
        "*;q=0",
        "gzip;q=0.5, identity",
        "gzip;q=much",
        "gzip;q=nan",
    ],
)
def test_gzip_is_not_for_who_does_not_take_it_or_would_rather_not(header: str) -> None:
    assert not accepts_gzip(header)


async def test_a_large_list_is_compressed_for_who_takes_it_and_says_the_same(api: Api) -> None:
    await publish(api, Resource.SESSIONS, SESSIONS)

    packed, body = await raw(api, "/v1/openclaw/sessions", **{"Accept-Encoding": "br, gzip"})
    plain, text = await raw(api, "/v1/openclaw/sessions", **{"Accept-Encoding": "gzip;q=0"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert int(packed.headers["Content-Length"]) == len(body) < len(text) / 5
    said, same = json.loads(gzip.decompress(body)), json.loads(text)
    assert said["data"]["data"] == same["data"]["data"] == SESSIONS
    assert set(said["data"]) == set(same["data"])
    assert said["data"]["total"] == len(SESSIONS)


async def test_a_status_that_is_large_is_compressed_too(api: Api) -> None:
    value = {"accounts": [{"id": str(number), "name": "微信"} for number in range(1000)]}
    await publish(api, Resource.WECHAT, value)

    _, body = await raw(api, "/v1/wechat/config/status", **{"Accept-Encoding": "gzip"})

    assert json.loads(gzip.decompress(body))["data"]["accounts"] == value["accounts"]


async def test_a_small_list_is_left_as_it_is(api: Api) -> None:
    await publish(api, Resource.SESSIONS, SESSIONS[:3])

    answer, _ = await raw(api, "/v1/openclaw/sessions", **{"Accept-Encoding": "gzip"})

    assert not {"Content-Encoding", "Vary"} & set(answer.headers)


async def test_who_has_the_list_gets_304_in_either_form(api: Api) -> None:
    await publish(api, Resource.SESSIONS, SESSIONS)
    tag = (await api.client.get("/v1/openclaw/sessions")).headers["ETag"]

    for coding in ("gzip", "identity"):
        known = {"If-None-Match": tag, "Accept-Encoding": coding}
        answer, body = await raw(api, "/v1/openclaw/sessions", **known)
        assert (answer.status_code, body, answer.headers["Vary"]) == (304, b"", "Accept-Encoding")


async def test_each_content_and_part_is_compressed_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(*pieces: bytes) -> ready_gzip.Packed:
        made.append(len(pieces))
        return pack(*pieces)

    monkeypatch.setattr(ready_gzip, "pack", counted)
    await publish(api, Resource.SESSIONS, SESSIONS)
    for _ in range(3):
        await asyncio.gather(*(api.client.get("/v1/openclaw/sessions") for _ in range(3)))
        await api.client.get("/v1/openclaw/sessions", params={"limit": 900})
    before_the_change = len(made)
    await publish(api, Resource.SESSIONS, SESSIONS[::-1])
    answer = await api.client.get("/v1/openclaw/sessions")

    assert (before_the_change, len(made)) == (2, 3)
    assert answer.json()["data"]["data"] == SESSIONS[::-1]


async def test_one_who_leaves_takes_the_compressed_form_from_nobody() -> None:
    ready = ReadyGzip()
    leaving, staying = (asyncio.create_task(ready.packed(b"x" * 1_000_000)) for _ in range(2))
    await asyncio.sleep(0)  # both have asked
    leaving.cancel()

    assert (await staying).size == 1_000_000
