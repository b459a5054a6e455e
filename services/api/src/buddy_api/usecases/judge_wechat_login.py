"""Find out that a WeChat login has ended, where its worker cannot say so any more."""

import asyncio
import time

from buddy_api.deps import Wiring
from buddy_api.usecases.watch_task import read_task
from buddy_common.adapters.presence import BEAT_SECONDS
from buddy_common.errors import JobInterruptedError, UnknownTaskError, WechatLoginError
from buddy_common.schemas.tasks import TaskStatus, TaskView
from buddy_common.schemas.wechat import SUCCESSES, LoginState, LoginView
from buddy_common.schemas.wechat_jobs import LoginWechatJob

# its row is looked at this often: a worker that was killed says nothing any more
ROW_SECONDS = 3.0
# one that the broker has lost says so again within this
SILENT_SECONDS = BEAT_SECONDS + 1
LOOK_SECONDS = 0.4
# one that is started anew is back within this, and goes on with what waits for it
GONE_SECONDS = 20.0


async def goes_on(w: Wiring, node: str, view: LoginView) -> bool:
    """Whether a login has not ended; one whose worker was killed has not said so.

    Raises:
        BrokerUnavailableError: the broker cannot be reached.
        DatabaseUnavailableError: the database cannot be reached.
    """
    if view.done:
        return False
    task = await _row(w, view.task_id)
    if task is None or task.status.is_final:
        return False
    # one that waits for its worker is as good as another, which would wait behind it
    return task.status is TaskStatus.QUEUED or await _is_worked_on(w, node)


class SilentEnd:
    """What one listener has found out about the end of a login that nobody has told."""

    def __init__(self, w: Wiring, *, node: str, now: float) -> None:
        self._w = w
        self._node = node
        self._looked_at = now
        self._alone_since: float | None = None

    async def look(self, view: LoginView, *, now: float) -> LoginView | None:
        """Return how the login ended, None while it goes on, or it is not time to look again.

        Raises:
            BrokerUnavailableError: the broker cannot be reached.
            DatabaseUnavailableError: the database cannot be reached.
        """
        if now - self._looked_at < ROW_SECONDS:
            return None
        self._looked_at = now
        task = await _row(self._w, view.task_id)
        if task is None or task.status.is_final:
            return _lost(view, task)
        if await _has_worker(self._w, self._node):
            self._alone_since = None
            return None
        if self._alone_since is None:
            self._alone_since = now
        return _alone(view, self._node) if now - self._alone_since >= GONE_SECONDS else None


async def _is_worked_on(w: Wiring, node: str) -> bool:
    deadline = time.monotonic() + SILENT_SECONDS
    while not await _has_worker(w, node):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


async def _has_worker(w: Wiring, node: str) -> bool:
    alive = await w.presence.listing()
    return any(worker.node == node and worker.lane is LoginWechatJob.lane for worker in alive)


async def _row(w: Wiring, task_id: str) -> TaskView | None:
    try:
        return await read_task(w.database, task_id)
    except UnknownTaskError:
        return None


def _lost(view: LoginView, task: TaskView | None) -> LoginView:
    """Return the end of a login whose worker could not tell it, by its row."""
    if task is not None and task.status is TaskStatus.COMPLETED:
        return LoginView.model_validate({**(task.result or {}), "task_id": task.id, "done": True})
    reason = (task.error if task else None) or "The login has ended without a word."
    slug = (task.errorCode if task else None) or WechatLoginError.error
    return _failed(view, reason, slug)


def _alone(view: LoginView, node: str) -> LoginView:
    reason = f"No worker of {node!r} is there. `GET /v1/wechat/qrcode` starts a login once it is back."
    return _failed(view, reason, JobInterruptedError.error)


def _failed(view: LoginView, reason: str, slug: str) -> LoginView:
    """Return the end of a login that failed; what WeChat has confirmed by then stays so."""
    state = view.state if view.state in SUCCESSES else LoginState.ERROR
    return LoginView(
        task_id=view.task_id, state=state, account=view.account, message=reason, error=slug, done=True
    )
