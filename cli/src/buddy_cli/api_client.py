"""The command as a client of its own API."""

import time
from typing import Any

import httpx

from buddy_cli.failures import StartError

REQUEST_SECONDS = 40.0
TASK_SECONDS = 900.0  # above the deadline of any job that the command asks for


class ApiClient:
    """Talks to the api of a running Buddy with its token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Return status and body; (0, {}) when nobody answers."""
        return await self._request("GET", path, query)

    async def post(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Return status and body; (0, {}) when nobody answers."""
        return await self._request("POST", path, query)

    async def missing(self, *, with_workers: bool) -> str | None:
        """Return what the api says that it lacks, None when it is ready; without hosts it needs no worker."""
        status, body = await self.get("/ready")
        if status == httpx.codes.OK:
            return None
        data = body.get("data") or {}
        checks: dict[str, dict[str, Any]] = data.get("checks") or {}
        failed = [name for name, check in checks.items() if not check["ok"]]
        if failed == ["workers"] and not with_workers:
            return None
        return str(data or "the api does not answer")

    async def finish_task(self, task_id: str) -> dict[str, Any]:
        """Wait until a task has ended and return it.

        Raises:
            StartError: the api no longer answers, or the task does not end.
        """
        deadline = time.monotonic() + TASK_SECONDS
        while time.monotonic() < deadline:
            status, body = await self.get("/v1/tasks/status", taskId=task_id, wait="30")
            if status != httpx.codes.OK:
                raise StartError(f"The api answered {status} when asked for {task_id}.")
            task: dict[str, Any] = body["data"]
            if task["endTime"] is not None:
                return task
        raise StartError(f"{task_id} has not ended after {TASK_SECONDS:.0f} s.")

    async def _request(self, method: str, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        try:
            async with httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
                answer = await client.request(method, self._url + path, params=query, headers=self._headers)
                body = answer.json()
        except (httpx.HTTPError, ValueError):
            return 0, {}
        return (answer.status_code, body) if isinstance(body, dict) else (0, {})
