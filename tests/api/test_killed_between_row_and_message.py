"""The api is killed after it wrote the row and before it sent the message: the row is there to be found."""

import signal
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session, select

from api.real_api import real_api
from buddy_common.adapters.broker_queue import queued_task_ids
from buddy_common.adapters.redis_client import open_redis
from buddy_common.db import events, nodes, task_claims
from buddy_common.db.engine import Database
from buddy_common.db.tables import TaskRow
from buddy_common.schemas.job import Lane, queue_name

pytestmark = pytest.mark.timeout(60)

# the product has no hook for this: the script is the whole api, but for the sending
KILLS_ITSELF_INSTEAD_OF_SENDING = """
import os, signal
from buddy_api.main import main
from buddy_common.adapters.job_sender import JobSender

async def die(self, task_id, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

JobSender.send = die
main()
"""


async def test_the_row_stays_queued_with_a_pending_event_and_no_message(
    redis_url: str, database: Database, database_url: str, tmp_path: Path
) -> None:
    await database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    arguments = ("-c", KILLS_ITSELF_INSTEAD_OF_SENDING)

    async with real_api(tmp_path, redis_url=redis_url, database_url=database_url, arguments=arguments) as api:
        with pytest.raises(httpx.RemoteProtocolError):
            await api.client.post("/v1/gateway/restart")
        assert await api.ended() == -signal.SIGKILL

    row = await database.run(lambda session: session.exec(select(TaskRow)).one())
    (event,) = await database.run(events.listing)
    assert (row.status, row.owner, row.epoch) == ("Queued", None, 0)
    assert (event.action, event.status, event.taskID) == ("restart_gateway", "pending", row.id)
    client = open_redis(redis_url)
    assert await queued_task_ids(client, queue_name("local", Lane.FAST)) == frozenset()
    await client.aclose()


async def test_the_row_says_when_its_message_should_have_been_sent(
    redis_url: str, database: Database, database_url: str, tmp_path: Path
) -> None:
    """So that a worker can tell that it was lost."""
    await database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    arguments = ("-c", KILLS_ITSELF_INSTEAD_OF_SENDING)

    async with real_api(tmp_path, redis_url=redis_url, database_url=database_url, arguments=arguments) as api:
        with pytest.raises(httpx.RemoteProtocolError):
            await api.client.post("/v1/gateway/restart", headers={"Idempotency-Key": "a"})
        await api.ended()

    def lost(session: Session) -> list[str]:
        return [row.id for row in task_claims.unclaimed(session, "local", seconds=0)]

    row = await database.run(lambda session: session.exec(select(TaskRow)).one())
    assert row.message_at is not None
    assert await database.run(lost) == [row.id]
    assert row.idempotency_key == "a"  # who asks again gets this task, which a worker will find
