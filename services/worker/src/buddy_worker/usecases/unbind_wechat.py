"""Unbind a WeChat account: the plugin itself has no way to."""

import asyncio

from buddy_common.adapters.wechat_accounts import WechatAccounts
from buddy_common.errors import UnknownWechatAccountError
from buddy_worker.audited import Audited, Made
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.wechat_channel import require_gone, stop_account


class WechatUnbound(Audited):
    """An account that is not bound any more."""

    account: str
    left: list[str]  # which still are


async def unbind_wechat(job: RunningJob[AnyJob], *, account: str) -> WechatUnbound:
    """Stop the account's channel, drop its token, and see that the gateway has let go of it.

    Raises:
        UnknownWechatAccountError: it is not bound.
        StateUnwritableError: its files cannot be changed.
        WechatChannelError: the gateway still runs it.
        BuddyError: the gateway could not be told.
    """
    accounts = WechatAccounts(job.host.gateway_settings.config_dir)
    await job.stage("looking at what is bound", 5)
    # an attempt whose worker died may have come further
    if job.attempt == 1 and account not in await asyncio.to_thread(accounts.ids):
        raise UnknownWechatAccountError(account)
    await job.stage("stopping the channel", 20)
    await stop_account(job, account)
    await job.stage("removing the account", 40)
    await asyncio.to_thread(accounts.remove, account)
    await job.stage("checking that it is gone", 60)
    await require_gone(job, account)
    await asyncio.to_thread(accounts.remove, account)  # what it has written while it was stopped
    left = await asyncio.to_thread(accounts.ids)
    return WechatUnbound(account=account, left=left, made=[Made(f"account {account}", "bound", None)])
