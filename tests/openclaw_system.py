"""A running `buddy up` as tests see it."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

BUDDY = Path(sys.executable).parent / "buddy"
UP_SECONDS = 120
GATEWAY_SECONDS = 280


@dataclass
class System:
    """A running `buddy up` and how to talk to it."""

    url: str
    flower_url: str
    token: str
    home: Path
    config_dir: Path
    gateway_port: int
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            return client.request(method, path, **options)

    def submit(self, action: str) -> str:
        answer = self.request("POST", f"/v1/gateway/{action}")
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["data"]["taskID"])

    def task(self, task_id: str, *, wait: int = 0) -> dict[str, Any]:
        answer = self.request("GET", "/v1/tasks/status", params={"taskId": task_id, "wait": wait})
        assert answer.status_code == httpx.codes.OK, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def finish(self, task_id: str) -> list[dict[str, Any]]:
        """Follow a task to its end; return every version of it that was seen."""
        seen = [self.task(task_id)]
        deadline = time.monotonic() + GATEWAY_SECONDS
        while seen[-1]["endTime"] is None and time.monotonic() < deadline:
            seen.append(self.task(task_id, wait=10))
        return seen

    def run(self, action: str) -> dict[str, Any]:
        return self.finish(self.submit(action))[-1]

    def status(self) -> dict[str, Any]:
        data: dict[str, Any] = self.request("GET", "/v1/openclaw/status").json()["data"]
        return data
