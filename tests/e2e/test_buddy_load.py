"""Many clients and long jobs: every task ends, none is lost, and each waits for its turn.

`make faults` does the same on the real OpenClaw, with ten times as many jobs.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.load import client_of, finished, many_jobs, submit
from e2e.machine import Buddy

pytestmark = pytest.mark.timeout(200)


def test_jobs_of_many_clients_all_end_and_no_two_share_an_id(buddy: Buddy) -> None:
    ids, tasks = asyncio.run(many_jobs(buddy, clients=50, jobs_each=2))

    assert len(set(ids)) == len(ids) == 100
    assert {(task["status"], task["attempts"]) for task in tasks} == {("Completed", 1)}
    assert {task["result"]["alreadyRunning"] for task in tasks} == {True}


def test_a_restart_waits_for_the_install_that_runs_and_says_so(buddy: Buddy, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    buddy.machine.fake.configure(install_waits_for=str(gate))

    async def run() -> list[dict[str, Any]]:
        async with client_of(buddy) as client:
            tasks = [
                await submit(client, "/v1/openclaw/plugins/install", {"spec": f"plugin-{number}"})
                for number in range(2)
            ]
            tasks.append(await submit(client, "/v1/gateway/restart"))
            await until_it_waits(client, tasks[-1])
            gate.touch()
            return [await finished(client, task_id) for task_id in tasks]

    installs_and_restart = asyncio.run(run())

    assert {task["status"] for task in installs_and_restart} == {"Completed"}, json.dumps(
        installs_and_restart
    )
    first, *_, restart = installs_and_restart
    assert restart["startTime"] >= first["endTime"]


async def until_it_waits(client: httpx.AsyncClient, task_id: str) -> None:
    """Wait until the task says for whom it waits."""
    while True:
        answer = await client.get("/v1/tasks/status", params={"taskId": task_id, "wait": 1})
        if answer.json()["data"]["stage"] == "waiting for: Install plugin":
            return
