"""The WeChat channel as jobs."""

from pydantic import BaseModel

from buddy_common.schemas.wechat_jobs import InstallWechatJob, LoginWechatJob, UnbindWechatJob
from buddy_worker.jobs import RunningJob
from buddy_worker.tasks.registry import handles
from buddy_worker.usecases.install_wechat import install_wechat
from buddy_worker.usecases.login_wechat import login_wechat
from buddy_worker.usecases.unbind_wechat import unbind_wechat


@handles(InstallWechatJob)
async def _install(job: RunningJob[InstallWechatJob]) -> BaseModel:
    return await install_wechat(job)


@handles(LoginWechatJob)
async def _login(job: RunningJob[LoginWechatJob]) -> BaseModel:
    return await login_wechat(job)


@handles(UnbindWechatJob)
async def _unbind(job: RunningJob[UnbindWechatJob]) -> BaseModel:
    return await unbind_wechat(job, account=job.payload.account)
