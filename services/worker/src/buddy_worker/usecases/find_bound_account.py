"""Find the WeChat account that a login has bound."""

from collections.abc import Sequence

from buddy_common.adapters.wechat_accounts import BoundAccount
from buddy_common.errors import JobInterruptedError, WechatLoginError


def find_bound_account(before: Sequence[BoundAccount], after: Sequence[BoundAccount]) -> BoundAccount:
    """Return the account that was saved in between.

    Raises:
        WechatLoginError: there is none.
    """
    known = {(account.id, account.saved_at) for account in before}  # others may receive something meanwhile
    changed = [account for account in after if (account.id, account.saved_at) not in known]
    if not changed:
        raise WechatLoginError("WeChat has confirmed the login, but OpenClaw has saved no account.")
    return max(changed, key=lambda account: account.bound_at)


def find_account_bound_since(since: float, accounts: Sequence[BoundAccount]) -> BoundAccount:
    """Return the account that was saved last since then (Unix seconds), by a login whose worker died.

    Raises:
        JobInterruptedError: none was.
    """
    bound = [account for account in accounts if account.bound_at >= since]
    if not bound:
        raise JobInterruptedError("The worker died before an account was bound.")
    return max(bound, key=lambda account: account.bound_at)
