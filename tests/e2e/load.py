"""Clients that ask for many jobs at once."""

import asyncio
from datetime import datetime
from itertools import chain
from typing import Any

import httpx

from e2e.machine import Buddy


def client_of(buddy: Buddy) -> httpx.AsyncClient:
    """Return a client of the API with our token."""
    headers = {"Authorization": f"Bearer {buddy.token}"}
    return httpx.AsyncClient(base_url=buddy.url, headers=headers, timeout=120, trust_env=False)


async def submit(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> str:
    """Submit a job and return the id of its task."""
    answer = await client.post(path, json=body)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.json()["data"]["taskID"])


async def finished(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """Wait for the end of a task and return it."""
    while True:
        answer = await client.get("/v1/tasks/status", params={"taskId": task_id, "wait": 30})
        task: dict[str, Any] = answer.json()["data"]
        if task["endTime"] is not None:
            return task


async def running(client: httpx.AsyncClient, task_id: str) -> None:
    """Wait until the task has named the program that it runs."""
    while True:
        answer = await client.get("/v1/tasks/status", params={"taskId": task_id, "wait": 30})
        if answer.json()["data"]["command"]:
            return


async def many_jobs(buddy: Buddy, *, clients: int, jobs_each: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Let many clients ask for a start of the gateway, again and again; return ids and ended tasks."""
    async with client_of(buddy) as client:

        async def one_client() -> list[str]:
            return [await submit(client, "/v1/gateway/start") for _ in range(jobs_each)]

        ids = list(chain(*await asyncio.gather(*(one_client() for _ in range(clients)))))
        return ids, [await finished(client, task_id) for task_id in ids]


def seconds_between(earlier: str, later: str) -> float:
    """Return how much time lies between two timestamps of the API."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
