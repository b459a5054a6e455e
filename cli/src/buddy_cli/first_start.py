"""How `buddy up` starts the gateway: by a job where the api is beside it, else without one."""

import asyncio
import sys
from pathlib import Path

from buddy_cli.api_client import ApiClient
from buddy_cli.failures import StartError
from buddy_cli.screen import Screen

LOG = "gateway-start.log"


async def ask_api_to_start(api: ApiClient, screen: Screen, *, node: str) -> None:
    """Submit the job and tell how it ends; a failure is only told."""
    status, body = await api.post("/v1/gateway/start", node=node)
    if status != 202:  # noqa: PLR2004 - the HTTP status
        screen.warn("gateway", str(body.get("message", "the api does not answer")))
        return
    try:
        task = await api.finish_task(body["data"]["taskID"])
    except StartError as exc:
        screen.warn("gateway", exc.message)
        return
    if task["status"] == "Completed":
        result = task["result"]
        screen.step("gateway", f"ready on port {result['port']} (pid {result['pid']})")
    else:
        screen.warn("gateway", f"{task['status']}: {task['error']}")


async def start_beside(environment: dict[str, str], screen: Screen, *, logs: Path) -> None:
    """Start it from this machine alone, as a container of its own does; a failure is only told.

    Who stops us meanwhile does not stop it: the start has a session and a deadline of its own.
    """
    log = logs / LOG
    with await asyncio.to_thread(log.open, "ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "buddy_worker.bring_up"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    if await process.wait() == 0:
        screen.step("gateway", "runs")
    else:
        screen.warn("gateway", f"not started; {log} says why")
