"""Every route there is, as strangers find it; a route that is added later is among them by itself."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from redis.asyncio import Redis
from sqlalchemy import func, select
from sqlmodel import SQLModel

from buddy_api.changes import changes
from buddy_api.deps import submitter
from buddy_common.adapters.access import COOKIE
from buddy_common.db.grants import GrantKind
from buddy_common.schemas.job import Lane, queue_name
from security import ledger
from security.conftest import TOKEN, House
from security.surface import ORIGIN, SAFE, Door, doors_of

# what anybody may ask for, and why
PUBLIC = {
    "api GET /health": "says that the process answers, nothing else",
    "proxy GET /health": "the same",
    "proxy HEAD /health": "the same",
    "api GET /ready": "says yes or no; the checks are for callers with a token",
    "api GET /login": "the page to sign in",
    "api GET /wechat": "the page that shows the code of a WeChat login; what it asks for needs a token",
    "api POST /login": "takes the token; attempts are limited",
    "api GET /docs/assets/{name}": "files of Swagger UI, the same for everybody",
}
# the one change by GET, which the guide asks for; a cookie counts on our own pages only
CHANGES_BY_GET = {"api GET /v1/wechat/qrcode"}
WHAT = "doors of api and proxy, as strangers"
SITES = {"none": None, "another": "http://evil.test", "null": "null", "longer": f"{ORIGIN}.evil.test"}


def guarded(house: House) -> list[Door]:
    return [door for door in house.doors if door.name not in PUBLIC]


def changing(house: House) -> list[Door]:
    return [door for door in guarded(house) if door.changes]


async def answers(doors: list[Door], headers: dict[str, str] | None = None, **query: str) -> dict[str, int]:
    return {door.name: (await door.knock(headers, **query)).status_code for door in doors}


def require(status: int, found: dict[str, int]) -> None:
    """Each door answered so; the others are what the table at the end counts."""
    others = {name: given for name, given in found.items() if given != status}
    ledger.add(WHAT, {"knock": len(found)}, len(others))
    assert others == {}


async def rows(house: House) -> dict[str, int]:
    """Return how many rows each table has."""

    def count(session: Any) -> dict[str, int]:
        tables = SQLModel.metadata.sorted_tables
        return {
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }

    return await house.database.run(count)


def test_the_tables_of_both_services_are_read(services: Any) -> None:
    names = {door.name for door in doors_of(*services)}
    ledger.add(WHAT, {"route and method": len(names)}, 0)

    assert len(names) > 100
    assert set(PUBLIC) <= names
    assert names >= CHANGES_BY_GET
    assert {"proxy WEBSOCKET /v1/ws/shell", "api WEBSOCKET /v1/ws/{name}", "proxy PATCH /v1/proxy"} <= names


async def test_a_route_that_is_added_without_a_guard_is_found(house: House) -> None:
    @house.api.delete("/v1/forgotten/{name}")
    async def forgotten(name: str) -> str:
        return name

    doors = [door for door in doors_of(house.api, house.proxy) if door.name not in PUBLIC]
    found = await answers(doors)
    assert {name: status for name, status in found.items() if status != 401} == {
        "api DELETE /v1/forgotten/{name}": 200
    }


WRONG: dict[str, dict[str, str]] = {
    "nothing": {},
    "another token": {"Authorization": "Bearer wrong"},
    "a longer token": {"Authorization": f"Bearer {TOKEN}x"},
    "half the token": {"Authorization": f"Bearer {TOKEN[:-1]}"},
    "another scheme": {"Authorization": "Basic " + base64.b64encode(f"admin:{TOKEN}".encode()).decode()},
    "another cookie": {"Cookie": f"{COOKIE}=wrong", "Origin": ORIGIN},
    "another cookie's name": {"Cookie": f"token={TOKEN}", "Origin": ORIGIN},
    "a header of a proxy": {"X-Forwarded-User": "admin", "X-Forwarded-For": "127.0.0.1"},
}


@pytest.mark.parametrize("credential", WRONG)
async def test_no_door_opens_without_the_right_token(credential: str, house: House) -> None:
    doors = guarded(house)
    require(401, await answers(doors, WRONG[credential]))


async def test_no_door_opens_for_a_token_in_the_query(house: House) -> None:
    doors = guarded(house)
    found = await answers(doors, token=TOKEN, ticket=TOKEN, access_token=TOKEN, auth=TOKEN)
    require(401, found)


async def test_no_door_opens_for_a_ticket_that_was_used(house: House) -> None:
    doors = guarded(house)
    ticket = await house.grant(GrantKind.TICKET)
    (me,) = [door for door in doors if door.name == "api GET /v1/auth/me"]

    assert (await me.knock(ticket=ticket)).status_code == 200
    require(401, await answers(doors, ticket=ticket))


async def test_no_door_opens_for_what_has_expired(house: House) -> None:
    doors = guarded(house)
    ticket = await house.grant(GrantKind.TICKET, seconds=-1)
    session = await house.grant(GrantKind.SESSION, seconds=-1)

    require(401, await answers(doors, ticket=ticket))
    cookie = {"Cookie": f"{COOKIE}={session}", "Origin": ORIGIN}
    require(401, await answers(doors, cookie))


async def test_a_ticket_and_a_session_do_not_stand_for_each_other(house: House) -> None:
    doors = guarded(house)
    ticket, session = await house.grant(GrantKind.TICKET), await house.grant(GrantKind.SESSION)

    require(401, await answers(doors, ticket=session))
    cookie = {"Cookie": f"{COOKIE}={ticket}", "Origin": ORIGIN}
    require(401, await answers(doors, cookie))


async def test_no_change_is_made_for_a_ticket(house: House) -> None:
    doors = changing(house)
    ticket = await house.grant(GrantKind.TICKET)

    require(401, await answers(doors, ticket=ticket))


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("kind", ["session", "token"])
async def test_no_change_is_made_for_a_cookie_that_another_site_sent(
    site: str, kind: str, house: House
) -> None:
    secret = TOKEN if kind == "token" else await house.grant(GrantKind.SESSION)
    origin = SITES[site]
    headers = {"Cookie": f"{COOKIE}={secret}"} | ({} if origin is None else {"Origin": origin})
    doors = changing(house)
    before = await rows(house)

    assert len(doors) > 50
    require(403, await answers(doors, headers))
    assert await rows(house) == before


@pytest.mark.parametrize("site", [site for site in SITES if site != "none"])
async def test_no_socket_opens_for_another_site_whatever_it_carries(site: str, house: House) -> None:
    doors = [door for door in house.doors if door.is_socket]
    ticket = await house.grant(GrantKind.TICKET)
    origin = {"Origin": str(SITES[site])}

    assert len(doors) > 5
    for credential in ({"Authorization": f"Bearer {TOKEN}"}, {"Cookie": f"{COOKIE}={TOKEN}"}):
        require(403, await answers(doors, credential | origin))
    require(403, await answers(doors, origin, ticket=ticket))


async def test_with_the_token_the_same_doors_open(house: House) -> None:
    """Else all of the above would hold for a service that refuses everybody."""
    doors = [door for door in guarded(house) if door.service == "api" and door.name not in CHANGES_BY_GET]
    found = await answers(doors, {"Authorization": f"Bearer {TOKEN}"})

    assert {name: status for name, status in found.items() if status in {401, 403}} == {}


@pytest.mark.parametrize("site", SITES)
async def test_the_change_by_get_takes_a_cookie_of_our_own_pages_only(site: str, house: House) -> None:
    doors = [door for door in house.doors if door.name in CHANGES_BY_GET]
    origin = SITES[site]
    headers = {"Cookie": f"{COOKIE}={TOKEN}"} | ({} if origin is None else {"Origin": origin})

    require(403, await answers(doors, headers))


async def test_no_other_get_changes_anything(house: House, redis: Redis) -> None:
    doors = [
        door
        for door in house.doors
        if door.service == "api" and door.method in SAFE and door.name not in CHANGES_BY_GET
    ]
    before = await rows(house)

    await answers(doors, {"Authorization": f"Bearer {TOKEN}"})

    assert len(doors) > 40
    assert await rows(house) == before
    for lane in Lane:
        assert await redis.llen(queue_name("local", lane)) == 0


def test_no_get_but_the_documented_one_can_submit_a_job(services: Any) -> None:
    api: FastAPI = services[0]
    for route in api.router.routes:
        if isinstance(route, APIRoute) and not set(route.methods or ()) - SAFE:
            calls = {dependant.call for dependant in all_below(route.dependant)}
            assert not calls & {submitter, changes}, route.path


def all_below(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from all_below(part)
