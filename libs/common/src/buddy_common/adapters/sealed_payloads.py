"""What a job needs but its row must not hold: secrets, kept in Redis until a worker takes them.

Redis writes what it holds to its disk, and keeps it there after it is gone. So it gets them encrypted; the
key is in the row. Neither of the two, nor a copy of it, says anything alone.
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors
from buddy_common.errors import QueueFullError

# a job that waited longer for its locks is asked for again, by a person who still has the secret
KEEP_SECONDS = 3600
# of one node: the largest file of a bot has 2.7 MiB when it is sealed; the embedded broker, which also has
# the queues and the lists, ends at 64 MB, and one that is full refuses all
NODE_BYTES = 16 * 1024 * 1024

_PREFIX = "buddy:sealed:"
# In one step, so that many who put at once find no room twice. What waits is measured and not counted: who
# was taken, dropped or has expired has no length any more, whoever forgot to say so. One alone gets in at any
# size, or it would be told for ever to come again.
_PUT = """
local waiting = 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local bytes = redis.call('STRLEN', ARGV[1] .. id)
  if bytes == 0 then redis.call('SREM', KEYS[2], id) end
  waiting = waiting + bytes
end
if waiting > 0 and waiting + #ARGV[3] > tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[5])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 1
"""


def new_seal_key() -> str:
    """Return a key for the fields of one task."""
    return Fernet.generate_key().decode()


class SealedPayloads:
    """Fields of jobs, by task; each is handed out once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._put = redis.register_script(_PUT)

    async def put(self, task_id: str, fields: dict[str, Any], *, key: str, node: str) -> None:
        """Keep fields for the worker of the node that will run the task.

        Raises:
            BrokerUnavailableError: Redis did not answer.
            QueueFullError: too much waits for this node already.
        """
        # as UTF-8: escapes would make Chinese twice as long; lone surrogates pass, as they do in escapes
        plain = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sealed = Fernet(key).encrypt(plain)
        async with broker_errors():
            done = await self._put(
                keys=[_place(task_id), f"buddy:sealed-of:{node}"],
                args=[_PREFIX, task_id, sealed, NODE_BYTES, KEEP_SECONDS],
            )
        if not done:
            raise QueueFullError(node)

    async def drop(self, task_id: str) -> None:
        """Forget the fields of a task that no worker will run.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            await self._redis.delete(_place(task_id))

    async def take(self, task_id: str, *, key: str) -> dict[str, Any] | None:
        """Return the fields and forget them; None when they are gone already, or not those of this key.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        async with broker_errors():
            sealed = await self._redis.getdel(_place(task_id))
        if sealed is None:
            return None
        try:
            return dict(json.loads(Fernet(key).decrypt(sealed)))
        except InvalidToken:
            return None


def _place(task_id: str) -> str:
    return f"{_PREFIX}{task_id}"
