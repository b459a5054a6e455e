"""How often an address may try to log in: counted in Redis for all api processes, else in memory."""

import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from buddy_common.errors import TooManyAttemptsError


class LoginLimit:
    """A sliding window per address."""

    def __init__(self, *, redis_url: str, per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._shared = SlidingWindowCounterRateLimiter(
            RedisStorage(
                f"async+{redis_url}",
                implementation="redispy",
                socket_connect_timeout=1,
                socket_timeout=1,
                # else each connection reads package metadata from disk, inside the loop
                driver_info=None,  # type: ignore[arg-type]  # handed on to redis-py, which takes None
            )
        )
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def attempt(self, address: str) -> None:
        """Count one attempt.

        Raises:
            TooManyAttemptsError: there were too many in the last minute.
        """
        limiter: SlidingWindowCounterRateLimiter = self._shared
        try:
            allowed = await limiter.hit(self._item, "login", address)
        except (RedisError, OSError):  # a broker that is gone must not open the door to guessing
            limiter = self._local
            allowed = await limiter.hit(self._item, "login", address)
        if not allowed:
            stats = await limiter.get_window_stats(self._item, "login", address)
            raise TooManyAttemptsError(max(1, int(stats.reset_time - time.time()) + 1))
