"""A node's WeChat login as it travels between api and worker: by Redis, which both of them dial.

What the worker sees goes into a stream of its own per login; which login is the node's last one, who looks at
it, and the numbers that WeChat asked for, are keys that end by themselves.
"""

from typing import Any, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors
from buddy_common.schemas.wechat import LoginView

KEPT_SECONDS = 1800  # longer than a login may take
KEPT_VIEWS = 100
START_SECONDS = 15  # whoever starts a login has said which one by then
CODE_SECONDS = 120


class WechatLogins:
    """Both ends of the conversation."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def may_start(self, node: str) -> bool:
        """Whether the caller is the one who starts a login now; it says which by `started`, or `gave_up`.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            return bool(await self._redis.set(_key(node, "starting"), "1", nx=True, ex=START_SECONDS))

    async def started(self, node: str, task_id: str) -> None:
        """Say which login is the node's last one.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(_key(node, "task"), task_id, ex=KEPT_SECONDS)
            pipe.delete(_key(node, "starting"))
            await pipe.execute()

    async def gave_up(self, node: str) -> None:
        """Let others start a login.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.delete(_key(node, "starting"))

    async def last(self, node: str) -> LoginView | None:
        """Return the node's last login as it was seen last, None when there is none to speak of.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            task_id = await self._redis.get(_key(node, "task"))
        if task_id is None:
            return None
        views, _ = await self.views(node, str(task_id))
        return views[-1] if views else LoginView(task_id=str(task_id))

    async def publish(self, node: str, view: LoginView) -> None:
        """Tell everybody who looks at the login.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        key = _views(node, view.task_id)
        async with broker_errors(), self._redis.pipeline(transaction=False) as pipe:
            if view.done:  # nobody needs the codes any more; the numbering goes on
                pipe.xtrim(key, maxlen=0, approximate=False)
            fields: Any = {"view": view.model_dump_json(exclude_none=True)}
            pipe.xadd(key, fields, maxlen=KEPT_VIEWS, approximate=True)
            pipe.expire(key, KEPT_SECONDS)
            await pipe.execute()

    async def views(self, node: str, task_id: str, *, after: str = "-") -> tuple[list[LoginView], str]:
        """Return what was seen of a login since `after`, oldest first, and where that ends.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        start = after if after == "-" else f"({after}"
        async with broker_errors():
            found = await self._redis.xrange(_views(node, task_id), min=start)
        entries = cast("list[tuple[str, dict[str, str]]]", found or [])
        views = [view for _, entry in entries if (view := _view(entry)) is not None]
        return views, str(entries[-1][0]) if entries else after

    async def listen(self, node: str, *, seconds: float) -> None:
        """Say that somebody looks at the login; the longest of what several say holds.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        key, milliseconds = _key(node, "listening"), max(1, int(seconds * 1000))
        async with broker_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.set(key, "1", px=milliseconds, nx=True)
            pipe.pexpire(key, milliseconds, gt=True)
            await pipe.execute()

    async def is_listened_to(self, node: str) -> bool:
        """Whether somebody looks at the login.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            return bool(await self._redis.exists(_key(node, "listening")))

    async def send_code(self, node: str, task_id: str, code: str) -> None:
        """Hand a number to the login.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.set(_code(node, task_id), code, ex=CODE_SECONDS)

    async def take_code(self, node: str, task_id: str) -> str | None:
        """Return the number that was handed in last, once.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            code = await self._redis.getdel(_code(node, task_id))
        return None if code is None else str(code)


def _view(entry: dict[str, str]) -> LoginView | None:
    try:
        return LoginView.model_validate_json(entry.get("view", ""))
    except ValidationError:  # another version's
        return None


def _key(node: str, name: str) -> str:
    return f"buddy:{node}:wechat:{name}"


def _views(node: str, task_id: str) -> str:
    return _key(node, f"views:{task_id}")


def _code(node: str, task_id: str) -> str:
    return _key(node, f"code:{task_id}")
