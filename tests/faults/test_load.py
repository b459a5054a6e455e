"""More work than usual, on the real OpenClaw."""

import asyncio

import pytest

from e2e.load import client_of, finished, many_jobs, running, seconds_between, submit
from openclaw_system import System

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

PLUGIN = "@tencent-weixin/openclaw-weixin@2.4.9"
RESTART_SECONDS = 1.0  # from its 202 to its start


def test_a_thousand_jobs_of_fifty_clients_all_end_and_no_two_share_an_id(system: System) -> None:
    pid = system.ensure_running()

    ids, tasks = asyncio.run(many_jobs(system.buddy, clients=50, jobs_each=20))

    assert len(set(ids)) == len(ids) == 1000
    assert {(task["status"], task["attempts"]) for task in tasks} == {("Completed", 1)}
    assert {task["result"]["pid"] for task in tasks} == {pid}


def test_a_restart_starts_at_once_while_plugins_are_installed(system: System) -> None:
    async def run() -> None:
        async with client_of(system.buddy) as client:
            installs = [
                await submit(client, "/v1/openclaw/plugins/install", {"spec": PLUGIN}) for _ in range(4)
            ]
            await running(client, installs[0])
            restart = await finished(client, await submit(client, "/v1/gateway/restart"))
            assert restart["status"] == "Completed", restart
            assert seconds_between(restart["queuedAt"], restart["startTime"]) < RESTART_SECONDS
            installed = await finished(client, installs[0])
            assert installed["status"] == "Completed", installed
            assert installed["result"]["id"] == "openclaw-weixin"
            for waiting in installs[1:]:
                await client.post(f"/v1/tasks/{waiting}/cancel")  # one may have had its turn by now
            for ended in [await finished(client, waiting) for waiting in installs[1:]]:
                assert ended["status"] == "Cancelled" or "already exists" in ended["error"], ended

    system.ensure_running()
    asyncio.run(run())
