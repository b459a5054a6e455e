"""Many clients and long jobs: every task ends, none is lost, and a restart does not stand in line.

`make faults` does the same on the real OpenClaw, with ten times as many jobs.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from e2e.load import client_of, finished, many_jobs, running, seconds_between, submit
from e2e.machine import Buddy

pytestmark = pytest.mark.timeout(200)

RESTART_SECONDS = 1.0  # from its 202 to its start


def test_jobs_of_many_clients_all_end_and_no_two_share_an_id(buddy: Buddy) -> None:
    ids, tasks = asyncio.run(many_jobs(buddy, clients=50, jobs_each=2))

    assert len(set(ids)) == len(ids) == 100
    assert {(task["status"], task["attempts"]) for task in tasks} == {("Completed", 1)}
    assert {task["result"]["alreadyRunning"] for task in tasks} == {True}


def test_a_restart_starts_at_once_whatever_is_being_installed(buddy: Buddy, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    buddy.machine.fake.configure(install_waits_for=str(gate))

    async def run() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with client_of(buddy) as client:
            installs = [
                await submit(client, "/v1/openclaw/plugins/install", {"spec": f"plugin-{number}"})
                for number in range(4)
            ]
            await running(client, installs[0])
            restart = await finished(client, await submit(client, "/v1/gateway/restart"))
            during = [await client.get("/v1/tasks/status", params={"taskId": each}) for each in installs]
            states = [answer.json()["data"]["status"] for answer in during]
            assert states == ["Running", "Queued", "Queued", "Queued"]
            gate.touch()
            return restart, [await finished(client, task_id) for task_id in installs]

    restart, installs = asyncio.run(run())

    assert restart["status"] == "Completed", restart
    assert seconds_between(restart["queuedAt"], restart["startTime"]) < RESTART_SECONDS
    assert [task["status"] for task in installs] == ["Completed"] * 4, json.dumps(installs)
