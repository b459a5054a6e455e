"""A login whose worker died: what it has bound gets its channel, and no code is shown by itself."""

import time
from datetime import timedelta

import pytest

from buddy_common.schemas.tasks import TaskStatus
from buddy_common.schemas.wechat import PLUGIN, LoginState, LoginView
from worker.plugin_jobs import done
from worker.queued import ago
from worker.usecases.login_wechat.scene import Scene
from worker.wechat_scene import ACCOUNT, bind

pytestmark = pytest.mark.timeout(30)

BEFORE, MEANWHILE = timedelta(seconds=-60), timedelta(seconds=60)


def logins(scene: Scene) -> list[str]:
    return [what for what, *_ in scene.fake.process_log if what == "login begins"]


async def last(scene: Scene) -> LoginView:
    found = await scene.logins.last("local")
    assert found is not None
    return found


async def test_channel_of_an_account_that_was_bound_before_the_worker_died_is_started(scene: Scene) -> None:
    began = ago(120)
    bind(scene.fake, ACCOUNT, saved_at=(began + MEANWHILE).isoformat())
    scene.gateway.runs(ACCOUNT, at=began.timestamp() + 30)  # so with the token of before
    scene.gateway.does = lambda method: (
        scene.gateway.runs(ACCOUNT, at=time.time()) if method == "channels.start" else None
    )
    await scene.is_left(began=began, state=LoginState.SCANNED)

    task = await scene.repeat()

    assert done(task) == {"state": "confirmed", "account": ACCOUNT, "channel": "running"}
    assert [method for method, _ in scene.gateway.asked] == ["channels.stop", "channels.start"]
    assert logins(scene) == []
    end = await last(scene)
    assert (end.state, end.done, end.account, end.error) == ("confirmed", True, ACCOUNT, None)


async def test_login_that_had_bound_nothing_when_its_worker_died_is_interrupted(scene: Scene) -> None:
    began = ago(120)
    bind(scene.fake, ACCOUNT, saved_at=(began + BEFORE).isoformat())
    await scene.is_left(began=began, state=LoginState.WAITING_SCAN)

    task = await scene.repeat()

    assert (task.status, task.errorCode, task.attempts) == (TaskStatus.INTERRUPTED, "interrupted", 2)
    assert logins(scene) == []
    end = await last(scene)
    assert (end.state, end.done, end.error, end.qrcode_url) == ("error", True, "interrupted", None)


async def test_account_that_wechat_knew_already_when_the_worker_died_is_started(scene: Scene) -> None:
    began = ago(120)
    bind(scene.fake, ACCOUNT, saved_at=(began + BEFORE).isoformat())
    scene.gateway.rows = []
    scene.gateway.does = lambda _: scene.gateway.runs(ACCOUNT, at=time.time())
    await scene.is_left(began=began, state=LoginState.ALREADY_BOUND)

    task = await scene.repeat()

    assert done(task) == {"state": "already_bound", "account": None, "channel": "running"}
    assert scene.gateway.asked == [("channels.start", {"channel": PLUGIN})]
    assert logins(scene) == []
