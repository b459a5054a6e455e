"""A WeChat login on its way through Redis."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import open_redis
from buddy_common.adapters.wechat_logins import WechatLogins
from buddy_common.errors import BrokerUnavailableError
from buddy_common.schemas.wechat import LoginState, LoginView

NODE, TASK = "local", "task-1"
ADDRESS = "https://liteapp.weixin.qq.com/q/x"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def logins(redis: Redis) -> WechatLogins:
    return WechatLogins(redis)


def seen(state: LoginState, *, done: bool = False, url: str | None = None) -> LoginView:
    return LoginView(task_id=TASK, state=state, done=done, qrcode_url=url)


async def test_node_without_a_login_has_none(logins: WechatLogins) -> None:
    assert await logins.last(NODE) is None


async def test_login_of_which_nothing_was_seen_yet_is_starting(logins: WechatLogins) -> None:
    await logins.started(NODE, TASK)

    assert await logins.last(NODE) == LoginView(task_id=TASK)


async def test_what_was_seen_comes_in_order_and_once(logins: WechatLogins) -> None:
    await logins.publish(NODE, seen(LoginState.STARTING))
    first, position = await logins.views(NODE, TASK)
    await logins.publish(NODE, seen(LoginState.WAITING_SCAN, url=ADDRESS))
    second, position = await logins.views(NODE, TASK, after=position)
    third, _ = await logins.views(NODE, TASK, after=position)

    assert [view.state for view in first + second] == ["starting", "waiting_scan"]
    assert third == []


async def test_end_is_seen_by_who_has_seen_all_before_and_takes_the_codes_away(
    logins: WechatLogins, redis: Redis
) -> None:
    await logins.started(NODE, TASK)
    for _ in range(50):  # within the same millisecond, at times
        await logins.publish(NODE, seen(LoginState.WAITING_SCAN, url=ADDRESS))
        _, position = await logins.views(NODE, TASK)
        await logins.publish(NODE, seen(LoginState.TIMEOUT, done=True))
        views, _ = await logins.views(NODE, TASK, after=position)
        assert [view.state for view in views] == ["timeout"]

    assert ADDRESS not in str(await redis.xrange(f"buddy:{NODE}:wechat:views:{TASK}"))
    last = await logins.last(NODE)
    assert last is not None
    assert last.done


async def test_nodes_and_logins_do_not_mix(logins: WechatLogins) -> None:
    await logins.started("other", "task-2")
    await logins.publish("other", LoginView(task_id="task-2", state=LoginState.SCANNED))

    assert await logins.last(NODE) is None
    assert await logins.views(NODE, "task-2") == ([], "-")


async def test_entry_of_another_version_is_passed_over(logins: WechatLogins, redis: Redis) -> None:
    await redis.xadd(f"buddy:{NODE}:wechat:views:{TASK}", {"view": '{"task_id": "x", "state": "new"}'})
    await redis.xadd(f"buddy:{NODE}:wechat:views:{TASK}", {"other": "x"})

    views, position = await logins.views(NODE, TASK)

    assert views == []
    assert position != "-"


async def test_only_one_may_start_until_it_has_or_has_given_up(logins: WechatLogins) -> None:
    assert await logins.may_start(NODE)
    assert not await logins.may_start(NODE)
    assert await logins.may_start("other")
    await logins.gave_up(NODE)
    assert await logins.may_start(NODE)
    await logins.started(NODE, TASK)
    assert await logins.may_start(NODE)


async def test_longest_listener_holds(logins: WechatLogins, redis: Redis) -> None:
    assert not await logins.is_listened_to(NODE)
    await logins.listen(NODE, seconds=1)
    await logins.listen(NODE, seconds=100)
    await logins.listen(NODE, seconds=1)

    assert await logins.is_listened_to(NODE)
    assert await redis.pttl(f"buddy:{NODE}:wechat:listening") > 50_000


async def test_number_is_taken_once_by_its_login(logins: WechatLogins) -> None:
    await logins.send_code(NODE, TASK, "1")
    await logins.send_code(NODE, TASK, "2")

    assert await logins.take_code(NODE, "task-2") is None
    assert await logins.take_code(NODE, TASK) == "2"
    assert await logins.take_code(NODE, TASK) is None


async def test_broker_that_is_gone_is_told() -> None:
    client = open_redis("redis://127.0.0.1:1/0")
    with pytest.raises(BrokerUnavailableError):
        await WechatLogins(client).last(NODE)
    await client.aclose()
