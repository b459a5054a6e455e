"""How often an address may be wrong: counted in Redis for all processes, else in memory.

Needs the extra `buddy-common[web]`. Its memory has a bound: addresses are counted by a keyed hash of a few
bits, so two may share a place. Only who is wrong, or tries to log in, is counted and can be kept out by it.
"""

import hashlib
import time
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from buddy_common.errors import TooManyAttemptsError

PLACES = 4096
WINDOW_SECONDS = 60.0
_IPV6_NETWORK_BYTES = 8  # one client has as many addresses below it as he likes


class Kind(StrEnum):
    """What is attempted; each has a limit of its own."""

    LOGIN = "login"
    GUESS = "guess"  # a request with a token that is wrong


@dataclass
class _Refusal:
    """Until when a place is refused without asking anybody, and since when that is known."""

    until: float
    told: float


class Attempts:
    """A sliding window per kind and place."""

    def __init__(self, *, redis_url: str, per_minute: int, key: bytes) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._key = hashlib.sha256(key).digest()  # the same place in all processes, and one nobody can choose
        self._refused: dict[tuple[Kind, str], _Refusal] = {}
        self._pool: ConnectionPool = ConnectionPool.from_url(
            redis_url,
            socket_connect_timeout=1,
            socket_timeout=1,
            driver_info=None,  # else each connection reads package metadata from disk, inside the loop
        )
        self._shared = SlidingWindowCounterRateLimiter(
            RedisStorage(
                f"async+{redis_url}",
                implementation="redispy",
                connection_pool=self._pool,  # type: ignore[arg-type]  # handed on to redis-py, which takes it
            )
        )
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, kind: Kind, address: str) -> None:
        """Count one attempt.

        Raises:
            TooManyAttemptsError: there were too many in the last minute.
        """
        place = self._place(address)
        refusal = self._refused.get((kind, place))
        now = time.monotonic()
        if refusal is None or refusal.until <= now:
            seconds = await self._hit(kind, place)
            if seconds is None:
                return
            told = now if refusal is None or now - refusal.told > WINDOW_SECONDS else refusal.told
            refusal = self._refused[kind, place] = _Refusal(now + seconds, told)
        raise _too_many(refusal, now)

    def refuse_known(self, kind: Kind, address: str) -> None:
        """Refuse whom this process has refused, as long as that holds; count nothing and ask nobody.

        Raises:
            TooManyAttemptsError: there were too many in the last minute.
        """
        refusal = self._refused.get((kind, self._place(address)))
        now = time.monotonic()
        if refusal is not None and refusal.until > now:
            raise _too_many(refusal, now)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._pool.aclose()

    async def _hit(self, kind: Kind, place: str) -> float | None:
        """Return None if there is room for an attempt, else the seconds until there is."""
        limiter: SlidingWindowCounterRateLimiter = self._shared
        try:
            allowed = await limiter.hit(self._item, kind, place)
        except (RedisError, OSError):  # a broker that is gone must not open the door to guessing
            limiter = self._local
            allowed = await limiter.hit(self._item, kind, place)
        if allowed:
            return None
        try:
            stats = await limiter.get_window_stats(self._item, kind, place)
        except (RedisError, OSError):
            return WINDOW_SECONDS
        return max(0.0, stats.reset_time - time.time())

    def _place(self, address: str) -> str:
        digest = hashlib.blake2s(_network(address), key=self._key, digest_size=2).digest()
        return str(int.from_bytes(digest, "big") % PLACES)


def _too_many(refusal: _Refusal, now: float) -> TooManyAttemptsError:
    return TooManyAttemptsError(max(1, int(refusal.until - now) + 1), is_first=refusal.told == now)


def _network(address: str) -> bytes:
    """Return whom an address belongs to."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address.encode()
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return parsed.packed[:_IPV6_NETWORK_BYTES] if mapped is None else mapped.packed
    return parsed.packed
