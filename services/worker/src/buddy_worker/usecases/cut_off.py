"""Walk the way back for a job that is cut off in the middle: cancelled, over its deadline, or stopped."""

import asyncio

import structlog

from buddy_common.adapters.config_files import ConfigState
from buddy_common.errors import BuddyError, DeadlineExceededError
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway
from buddy_worker.usecases.plugin_before import PluginBefore
from buddy_worker.usecases.settle_change import settle_broken_change
from buddy_worker.usecases.way_back import put_config_back, take_back
from buddy_worker.usecases.witness import Witness

log = structlog.get_logger(__name__)

# to install the old version again may take 210 s, until the gateway runs on it 330 s more
TAKE_BACK_SECONDS = 900.0
ALL_AS_BEFORE = "What it had changed was undone: plugin and openclaw.json are as before."


async def walk_back_cut_off(
    job: RunningJob[AnyJob], *, before: ConfigState, witness: Witness, plugin: PluginBefore
) -> None:
    """Undo what the job has done, within a bound, and have its outcome say what stands; it never fails.

    A worker that stops has seconds only: what needs neither registry nor gateway is put back then.
    """
    if job.left is not None:  # an inner step has walked it already
        return
    job.is_cut_off()
    try:
        if job.stopping:
            await asyncio.to_thread(settle_broken_change, job.host)
            return  # what became of it is noted
        async with asyncio.timeout(TAKE_BACK_SECONDS):
            await _walk(job, before, witness, plugin)
    except TimeoutError:
        alone = await _config_alone(job, before, plugin)
        job.left = f"To undo it was not done after {TAKE_BACK_SECONDS:.0f} s. {alone}"
    except BuddyError as exc:
        job.left = f"Not all of it could be undone: {exc.message}"
    except Exception:  # a bug here must not hide how the job ended
        log.exception("way_back_crashed", task_id=job.task_id)
        job.left = "Not all of it could be undone; logs/worker-*.log has the reason."


async def _config_alone(job: RunningJob[AnyJob], before: ConfigState, plugin: PluginBefore) -> str:
    """Put the config back at least, which takes no time; it is what the gateway starts on."""
    try:
        await put_config_back(job, before=before, changes=plugin.keys())
    except BuddyError as exc:
        return exc.message
    return "openclaw.json is as before; `GET /v1/openclaw/plugins` tells of the plugin."


async def _walk(job: RunningJob[AnyJob], before: ConfigState, witness: Witness, plugin: PluginBefore) -> None:
    await job.stage("undoing what was done", 85)
    try:
        async with hold_gateway(job.host, seconds=GATEWAY_TURN_SECONDS):
            undone = await take_back(job, before=before, witness=witness, plugin=plugin)
        job.left = undone.trouble or ALL_AS_BEFORE
    except DeadlineExceededError as exc:  # the files need no turn with the gateway
        undone = await take_back(job, before=before, witness=None, plugin=plugin)
        job.left = f"{undone.trouble or ALL_AS_BEFORE} The gateway was not looked at: {exc.message}"
