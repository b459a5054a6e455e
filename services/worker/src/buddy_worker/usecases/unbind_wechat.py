"""Unbind a WeChat account: the plugin itself has no way to."""

import asyncio

from buddy_common.adapters.finishing import to_its_end
from buddy_common.adapters.wechat_accounts import WechatAccounts
from buddy_common.errors import UnknownWechatAccountError, WechatChannelError
from buddy_worker.audited import Audited, Made
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.wechat_channel import require_stopped, stop_account


class WechatUnbound(Audited):
    """An account that is not bound any more."""

    account: str
    left: list[str]  # which still are


async def unbind_wechat(job: RunningJob[AnyJob], *, account: str) -> WechatUnbound:
    """Stop the account's channel, drop its token, see that the gateway has let go of it, and drop the rest.

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
    # still listed: only of those that are does the gateway say whether they run
    await asyncio.to_thread(accounts.drop_token, account)
    await job.stage("waiting until the gateway has let go of it", 40)
    try:
        await require_stopped(job, account)
    except WechatChannelError:  # without its token it is not bound any more, whatever the gateway does
        await to_its_end(asyncio.to_thread(accounts.remove, account))
        raise
    await to_its_end(asyncio.to_thread(accounts.remove, account))
    left = await asyncio.to_thread(accounts.ids)
    return WechatUnbound(account=account, left=left, made=[Made(f"account {account}", "bound", None)])
