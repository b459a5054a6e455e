"""One node, its program and a login to WeChat."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from buddy_common.adapters.wechat_logins import WechatLogins
from buddy_common.db import tasks
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.schemas.wechat import LoginState, LoginView
from buddy_common.schemas.wechat_jobs import LoginWechatJob
from buddy_worker.reap import Reaper
from buddy_worker.runner import execute
from buddy_worker.usecases.login_wechat import login_wechat as log_in
from buddy_worker.wiring import Wiring
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from worker.queued import queue, view
from worker.wechat_scene import ChannelGateway, code

GATE = "gate"


class Scene:
    """One node, its program and a login."""

    def __init__(self, w: Wiring, fake: FakeOpenClaw, gateway: ChannelGateway) -> None:
        self.w, self.fake, self.gateway = w, fake, gateway
        self.logins = WechatLogins(w.redis)
        self.task_id = ""
        self.running: asyncio.Task[Any] | None = None

    @property
    def gate(self) -> Path:
        return self.fake.config_dir / GATE

    async def begin(self, *steps: dict[str, Any], announced: str | None = None) -> None:
        """Start the login; the program does these steps. `announced` is another one that people know of."""
        self.fake.configure(login=list(steps))
        self.task_id = await queue(self.w, LoginWechatJob())
        await self.logins.started("local", announced or self.task_id)
        self.running = asyncio.create_task(execute(self.w, self.task_id, LoginWechatJob, log_in))

    async def is_left(self, *, began: datetime, state: LoginState) -> None:
        """Have a login whose worker died when it had said this."""
        dead = str(replace(self.w.owner, started=self.w.owner.started - 1))
        self.task_id = await queue(
            self.w, LoginWechatJob(), status=TaskStatus.RUNNING, owner=dead, epoch=1, started_at=began
        )
        await self.logins.publish("local", LoginView(task_id=self.task_id, state=state))

    async def repeat(self) -> TaskView:
        """Find it, and run it as often as that is wanted."""
        self.fake.configure(login=[{"says": code()}])
        await Reaper(self.w).reap()
        self.running = asyncio.create_task(execute(self.w, self.task_id, LoginWechatJob, log_in))
        return await self.end()

    async def end(self) -> TaskView:
        assert self.running is not None
        async with asyncio.timeout(15):
            await self.running
        return await view(self.w, self.task_id)

    async def run(self, *steps: dict[str, Any]) -> TaskView:
        await self.begin(*steps)
        return await self.end()

    async def views(self) -> list[LoginView]:
        return (await self.logins.views("local", self.task_id))[0]

    async def until(self, state: LoginState, *, number: int = 0) -> LoginView:
        async def look() -> LoginView | None:
            return await self.logins.last("local")

        found = await eventually(
            look, lambda seen: seen is not None and seen.state is state and seen.number >= number, seconds=10
        )
        assert found is not None
        return found

    async def output(self) -> list[str]:
        rows = await self.w.database.run(
            lambda session: tasks.output_after(session, self.task_id, -1, limit=100)
        )
        return [row.line for row in rows]

    def waits(self) -> dict[str, Any]:
        return {"waits_for": str(self.gate)}
