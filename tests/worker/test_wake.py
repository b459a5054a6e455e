"""What waits is sent anew when its lock is free; what was lost, when it is in no queue."""

import asyncio
from functools import partial

from pydantic import BaseModel

from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.job import Lane, NodeLock
from buddy_common.schemas.plugin_jobs import InstallPluginJob
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.claims import JobWaitsError
from buddy_worker.jobs import RunningJob
from buddy_worker.runner import execute
from buddy_worker.wake import LOST_SECONDS, resend_lost, wake_waiting
from buddy_worker.wiring import Wiring
from worker.queued import Done, ago, hold, queue, row, sent, view

LONG_AGO = ago(3600)


async def test_of_those_that_wait_for_a_lock_the_oldest_is_woken(w: Wiring) -> None:
    oldest = await queue(w, message_at=None, queued_at=ago(9))
    await queue(w, message_at=None, queued_at=ago(8))
    install = await queue(w, InstallPluginJob(spec="x"), message_at=None)

    await wake_waiting(w)

    assert await sent(w) == {oldest}
    assert await sent(w, Lane.SLOW) == {install}


async def test_nobody_is_woken_while_the_lock_is_held(w: Wiring) -> None:
    held = await hold(w, NodeLock.LIFECYCLE)
    await queue(w, message_at=None)

    await wake_waiting(w)
    assert await sent(w) == frozenset()

    held.release()


async def test_nobody_is_woken_for_the_gateway_while_the_watchdog_is_next(w: Wiring) -> None:
    turn = await hold(w, NodeLock.REPAIR)
    task_id = await queue(w, message_at=None)

    await wake_waiting(w)
    assert await sent(w) == frozenset()

    turn.release()
    await wake_waiting(w)
    assert await sent(w) == {task_id}


async def test_a_task_is_woken_once(w: Wiring) -> None:
    await queue(w, message_at=None)

    await asyncio.gather(*(wake_waiting(w) for _ in range(5)))

    assert await w.redis.llen("node.local.fast") == 1


async def test_a_message_that_is_in_no_queue_is_sent_anew(w: Wiring) -> None:
    lost = await queue(w, message_at=ago(LOST_SECONDS + 1))
    await queue(w)  # its message is on its way

    await resend_lost(w)
    await resend_lost(w)

    assert await sent(w) == {lost}
    assert await w.redis.llen("node.local.fast") == 1


async def test_a_message_that_waits_in_its_queue_is_not_sent_twice(w: Wiring) -> None:
    task_id = await queue(w, message_at=LONG_AGO)
    await w.sender.send(task_id, kind=RestartGatewayJob.task, node="local", lane=Lane.FAST)

    await resend_lost(w)

    assert await w.redis.llen("node.local.fast") == 1


async def test_a_broker_that_lost_everything_gets_everything_again(w: Wiring) -> None:
    ids = {await queue(w, message_at=LONG_AGO) for _ in range(50)}
    for task_id in ids:
        await w.sender.send(task_id, kind=RestartGatewayJob.task, node="local", lane=Lane.FAST)
    await w.redis.flushall()

    await resend_lost(w)

    assert await sent(w) == ids


async def test_a_job_that_ends_wakes_the_next_and_all_run_in_the_order_of_their_coming(w: Wiring) -> None:
    order: list[str] = []

    async def handler(job: RunningJob[RestartGatewayJob]) -> BaseModel:
        order.append(job.task_id)
        return Done()

    run = partial(execute, w, kind=RestartGatewayJob, handler=handler)
    ids = [await queue(w, queued_at=ago(60 - number)) for number in range(6)]
    for task_id in reversed(ids):  # the messages come in the wrong order, the oldest last
        try:
            await run(task_id)
        except JobWaitsError:
            continue
    async with asyncio.timeout(8):
        while True:
            message = await sent(w)
            if not message:
                break
            await w.redis.delete("node.local.fast")
            for task_id in message:
                await run(task_id)

    assert order == ids
    assert {(await view(w, task_id)).status for task_id in ids} == {TaskStatus.COMPLETED}
    assert (await row(w, ids[0])).epoch == 1
