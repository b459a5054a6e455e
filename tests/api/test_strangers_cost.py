"""What a stranger can make the database do: a few look-ups a minute, and nothing that takes its lock."""

import asyncio
import secrets
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import event

from api.conftest import TOKEN, Api, login_of
from buddy_api import readiness
from buddy_common.adapters.access import COOKIE

ME = "/v1/auth/me"


@pytest.fixture
def statements(api: Api) -> Iterator[list[str]]:
    """All that the database was told since the test began."""
    told: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        told.append(statement.split(maxsplit=1)[0])

    engine = api.wiring.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield told
    event.remove(engine, "before_cursor_execute", note)


def made_up() -> str:
    return secrets.token_urlsafe(32)


async def by_ticket(api: Api, ticket: str) -> httpx.Response:
    return await api.stranger.get(ME, params={"ticket": ticket})


async def by_cookie(api: Api, cookie: str) -> httpx.Response:
    return await api.stranger.get(ME, headers={"Cookie": f"{COOKIE}={cookie}"})


async def use_up_guesses(api: Api) -> None:
    for number in range(6):
        answer = await api.stranger.get(ME, headers={"Authorization": f"Bearer wrong-{number}"})
    assert answer.status_code == 429


async def test_wrong_tickets_are_counted_as_guesses(api: Api) -> None:
    answers = [await by_ticket(api, made_up()) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert (await api.client.get(ME)).status_code == 200


async def test_a_wrong_ticket_deletes_nothing_and_takes_no_lock(api: Api, statements: list[str]) -> None:
    assert (await by_ticket(api, made_up())).status_code == 401
    assert statements == ["SELECT"]


@pytest.mark.parametrize("text", ["x", TOKEN, "a" * 42, "a" * 44, "a" * 42 + "=", "\x00" * 43])
async def test_what_cannot_be_ours_is_not_looked_up(text: str, api: Api, statements: list[str]) -> None:
    assert (await by_ticket(api, text)).status_code == 401
    assert statements == []


async def test_what_was_wrong_is_not_looked_up_again(api: Api, statements: list[str]) -> None:
    cookie, ticket = made_up(), made_up()
    for _ in range(10):
        assert (await by_cookie(api, cookie)).status_code == 401
        assert (await by_ticket(api, ticket)).status_code == 401
    assert statements == ["SELECT", "SELECT"]


async def test_a_page_whose_ticket_is_used_up_may_be_asked_for_again(api: Api) -> None:
    ticket = (await api.client.post("/v1/auth/ticket")).json()["data"]["ticket"]
    answers = [await by_ticket(api, ticket) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] + [401] * 9


async def test_a_session_that_was_tried_as_a_ticket_stays_good(api: Api) -> None:
    await login_of(api)
    session = api.stranger.cookies[COOKIE]
    api.stranger.cookies.clear()

    assert (await by_ticket(api, session)).status_code == 401
    assert (await by_cookie(api, session)).status_code == 200


async def test_of_an_address_that_is_refused_nothing_is_looked_up(api: Api, statements: list[str]) -> None:
    await use_up_guesses(api)

    for _ in range(20):
        assert (await by_cookie(api, made_up())).status_code == 429
        assert (await by_ticket(api, made_up())).status_code == 429

    assert statements == []


async def test_a_session_that_was_right_goes_on_whatever_others_try_from_its_address(api: Api) -> None:
    await login_of(api)
    session = api.stranger.cookies[COOKIE]
    assert (await api.stranger.get(ME)).status_code == 200
    await use_up_guesses(api)

    assert (await by_cookie(api, session)).status_code == 200
    assert (await by_cookie(api, TOKEN)).status_code == 200
    assert (await api.client.get(ME)).status_code == 200


async def test_a_session_that_was_right_and_has_ended_is_no_guess(api: Api) -> None:
    for _ in range(5):
        await login_of(api)
        session = api.stranger.cookies[COOKIE]
        assert (
            await api.stranger.post("/v1/auth/logout", headers={"Origin": "http://buddy.test"})
        ).is_success
        assert (await by_cookie(api, session)).status_code == 401
    assert (await by_ticket(api, made_up())).status_code == 401


async def test_strangers_who_ask_whether_it_is_ready_share_one_look(api: Api, statements: list[str]) -> None:
    answers = await asyncio.gather(*(api.stranger.get("/ready") for _ in range(20)))
    answers += [await api.stranger.get("/ready")]

    assert {answer.status_code for answer in answers} == {200}
    assert statements == ["SELECT"]


async def test_what_strangers_are_told_is_not_old(
    api: Api, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.stranger.get("/ready")
    monkeypatch.setattr(readiness, "SHARED_SECONDS", 0)
    await api.stranger.get("/ready")
    assert statements == ["SELECT", "SELECT"]


async def test_a_stranger_who_hangs_up_takes_the_answer_from_nobody(api: Api) -> None:
    first = asyncio.create_task(api.wiring.readiness.shared_look())
    await asyncio.sleep(0)
    second = asyncio.create_task(api.wiring.readiness.shared_look())
    await asyncio.sleep(0)
    first.cancel()
    assert all(check.ok for check in (await second).values())


async def test_who_has_the_token_sees_what_is_true_now(api: Api, statements: list[str]) -> None:
    for _ in range(3):
        assert (await api.client.get("/ready")).status_code == 200
    assert statements == ["SELECT"] * 3
