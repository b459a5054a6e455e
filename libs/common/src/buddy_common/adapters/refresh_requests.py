"""Questions of the api to a node's reader, and its answers: lists in Redis, both dialled from the host."""

import asyncio
import secrets
import time
from collections import defaultdict
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis

from buddy_common.adapters.redis_client import broker_errors
from buddy_common.schemas.backups import BackupQuestion
from buddy_common.schemas.heal_views import ReportQuestion

# shorter than the client's socket timeout
BLOCK_SECONDS = 2.0
KEEP_SECONDS = 60
# each wait holds a connection to the broker, of which redis-py allows a hundred; further ones queue up, those
# of a node that does not answer behind each other only, and those for a file never behind those for lists
MAX_WAITING = 10
MAX_UNREAD = 1000


class ReadQuestion(BaseModel):
    """What the api wants of a node: resources read anew, one file of a bot, backups or reports."""

    model_config = ConfigDict(frozen=True)

    id: str
    until: float  # Unix seconds: nobody waits for the answer any longer
    resources: list[str] = []
    bot: str | None = None
    file: str | None = None
    backups: BackupQuestion | None = None
    reports: ReportQuestion | None = None

    @property
    def is_of_lists(self) -> bool:
        """Whether lists are to be read anew, which takes longer than to look at a file."""
        return bool(self.resources)


class ReadAnswer(BaseModel):
    """What the node's reader answers; `error` is the slug of a failure, `data` then its detail."""

    model_config = ConfigDict(frozen=True)

    data: dict[str, Any] = {}
    error: str | None = None
    message: str = ""


class RefreshRequests:
    """Both ends of the conversation."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: defaultdict[tuple[str, bool], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_WAITING)
        )

    async def tell(self, node: str, resources: list[str]) -> None:
        """Ask a node to read resources anew, and do not wait for it.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        await self._send(node, ReadQuestion(id="", until=time.time() + KEEP_SECONDS, resources=resources))

    async def ask(
        self,
        node: str,
        *,
        resources: list[str] | None = None,
        bot: str | None = None,
        file: str | None = None,
        backups: BackupQuestion | None = None,
        reports: ReportQuestion | None = None,
        seconds: float,
    ) -> ReadAnswer | None:
        """Ask a node and return its answer, None when none came in time.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        question = ReadQuestion(
            id=secrets.token_hex(8),
            until=time.time() + seconds,
            resources=resources or [],
            bot=bot,
            file=file,
            backups=backups,
            reports=reports,
        )
        deadline = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                async with self._waiting[node, question.is_of_lists]:
                    await self._send(node, question)
                    while (left := deadline - time.monotonic()) > 0:
                        raw = await self._pop(_answers(node, question.id), min(left, BLOCK_SECONDS))
                        if raw is not None:
                            return ReadAnswer.model_validate_json(raw)
        except TimeoutError:
            pass
        return None

    async def next_question(self, node: str, *, seconds: float = BLOCK_SECONDS) -> ReadQuestion | None:
        """Return the next question to a node, None when none came in time.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        raw = await self._pop(_questions(node), seconds)
        try:
            return None if raw is None else ReadQuestion.model_validate_json(raw)
        except ValidationError:  # another version's
            return None

    async def answer(self, node: str, question: ReadQuestion, answer: ReadAnswer) -> None:
        """Answer whoever waits for it; nobody does when the question has no id.

        Raises:
            BrokerUnavailableError: Redis did not answer.
        """
        if question.id:
            await self._push(_answers(node, question.id), answer.model_dump_json())

    async def _send(self, node: str, question: ReadQuestion) -> None:
        await self._push(_questions(node), question.model_dump_json())

    async def _push(self, key: str, value: str) -> None:
        async with broker_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, value)
            pipe.ltrim(key, -MAX_UNREAD, -1)
            pipe.expire(key, KEEP_SECONDS)  # nobody reads it: the node is gone
            await pipe.execute()

    async def _pop(self, key: str, seconds: float) -> str | None:
        async with broker_errors():
            found = await self._redis.blpop([key], timeout=max(0.05, seconds))
        return None if found is None else str(found[1])


def _questions(node: str) -> str:
    return f"buddy:{node}:questions"


def _answers(node: str, question_id: str) -> str:
    return f"buddy:{node}:answers:{question_id}"
