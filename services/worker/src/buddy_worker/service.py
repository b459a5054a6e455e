"""What a worker process does besides jobs: register its node, show that it lives, stop in time."""

import asyncio
import socket
from typing import Any

import structlog
from celery import Celery
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from buddy_common.adapters.presence import BEAT_SECONDS
from buddy_common.db import nodes
from buddy_common.errors import TransientError
from buddy_common.schemas.job import Lane
from buddy_worker.reads.mirror import Mirror
from buddy_worker.runner import interrupt_all, loop_thread
from buddy_worker.sweep import Sweeper
from buddy_worker.wiring import Wiring, WorkerConfig, build_wiring, set_wiring

log = structlog.get_logger(__name__)

REGISTER_EVERY_BEATS = 10


def install_service(app: Celery, config: WorkerConfig) -> None:
    """Hook the service into Celery's life: before the first job, and at the end."""
    service = _Service(config)
    worker_ready.connect(service.on_ready, weak=False)
    worker_shutting_down.connect(service.on_shutting_down, weak=False)
    worker_shutdown.connect(service.on_shutdown, weak=False)
    set_wiring(service.wiring)
    loop_thread.start()
    app.finalize()


class _Service:
    def __init__(self, config: WorkerConfig) -> None:
        self.wiring: Wiring = build_wiring(config)
        self._config = config
        self._background: list[asyncio.Task[Any]] = []

    def on_ready(self, **_: Any) -> None:
        """The consumer is up: show it, and look after tasks that nobody has."""
        self._background = [
            loop_thread.spawn(self._beat_forever()),
            loop_thread.spawn(Sweeper(self.wiring).sweep_forever()),
        ]
        if self._config.lane is Lane.FAST:
            self._background.append(loop_thread.spawn(Mirror(self.wiring).run_forever()))

    def on_shutting_down(self, **_: Any) -> None:
        """SIGTERM: jobs get a moment to end by themselves, then they are interrupted."""
        loop_thread.call_later(self._config.worker.stop_grace_seconds, interrupt_all)

    def on_shutdown(self, **_: Any) -> None:
        """The last thing: go off the list of living workers."""
        loop_thread.run(self._leave())

    async def _beat_forever(self) -> None:
        beats = 0
        while True:
            try:
                if beats % REGISTER_EVERY_BEATS == 0:
                    await self._register()
                beats += 1
                await self.wiring.presence.beat(
                    self._config.home.node, self._config.lane, str(self.wiring.owner)
                )
            except TransientError as exc:
                log.warning("heartbeat_failed", reason=exc.message)
            except Exception:  # the outermost loop: a heart that stops makes a living worker look dead
                log.exception("heartbeat_crashed")
            await asyncio.sleep(BEAT_SECONDS)

    async def _register(self) -> None:
        home = self._config.home
        await self.wiring.database.run(
            lambda session: nodes.touch(
                session, home.node, hostname=socket.gethostname(), proxy_url=home.proxy_url
            )
        )

    async def _leave(self) -> None:
        for task in self._background:
            task.cancel()
        try:
            await self.wiring.presence.leave(
                self._config.home.node, self._config.lane, str(self.wiring.owner)
            )
        except TransientError as exc:
            log.warning("farewell_failed", reason=exc.message)
        self.wiring.sender.close()
        await self.wiring.redis.aclose()
