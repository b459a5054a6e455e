"""Have the gateway run WeChat accounts, or not any more, and see that it does."""

import asyncio
import time
from typing import Any

from buddy_common.errors import (
    GatewayRefusedError,
    GatewayRpcError,
    GatewayUnreachableError,
    WechatChannelError,
)
from buddy_common.schemas.job import NodeLock
from buddy_common.schemas.wechat import PLUGIN, ChannelState
from buddy_common.usecases.find_gateway import find_gateway
from buddy_worker.edits.wechat import touch_channel
from buddy_worker.gateway_calls import GatewayCall, call_gateway
from buddy_worker.jobs import AnyJob, RunningJob
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.gateway_turn import GATEWAY_TURN_SECONDS, hold_gateway, hold_lock

POLL_SECONDS = 1.0
# a gateway that restarts for the account has gone and come within this
DOWN_SECONDS = 10.0
# it starts the account by itself, if it does
PATIENCE_SECONDS = 15.0
CHANNEL_SECONDS = 300.0
# a gateway that has said that it is ready may load its channels after it
LOADED_SECONDS = 120.0
CALL_SECONDS = 60.0  # to stop an account it waits for what that is busy with

Row = dict[str, Any]


async def start_account(job: RunningJob[AnyJob], account: str, *, since: float) -> ChannelState:
    """Return once the gateway runs the account; it is told to where it does not by itself.

    Only a start after `since` (Unix seconds) counts: an earlier one still has the token of before.

    Raises:
        WechatChannelError: it does not; the login is kept all the same.
        BuddyError: it could not be told.
    """
    return await _until_running(job, [account], _named(account), since=since)


async def start_accounts(job: RunningJob[AnyJob], accounts: list[str]) -> ChannelState:
    """Return once the gateway runs all of these; where it does not, it is told to start what stands still.

    Raises:
        WechatChannelError: it does not run all of them, or there is none.
        BuddyError: it could not be told.
    """
    if not accounts:
        raise WechatChannelError(
            "WeChat calls the account bound, but OpenClaw has saved none. Remove it in WeChat; scan again."
        )
    return await _until_running(job, accounts, _named(None), since=0.0)


async def _until_running(
    job: RunningJob[AnyJob], accounts: list[str], named: dict[str, str], *, since: float
) -> ChannelState:
    began, told = time.monotonic(), False
    while True:
        rows = await _accounts(job)
        waited = time.monotonic() - began
        if rows is None and waited >= DOWN_SECONDS and not await _there_is_a_gateway(job):
            return ChannelState.GATEWAY_DOWN
        idle = [each for each in accounts if not any(_runs(row, each, since) for row in rows or [])]
        if not idle:
            return ChannelState.RUNNING
        if waited >= CHANNEL_SECONDS:
            raise WechatChannelError(_not_running(idle, rows))
        if rows is not None and not told and waited >= PATIENCE_SECONDS:
            told = True
            await job.line(f"The gateway has not started {', '.join(idle)} by itself: it is told to")
            await _restart(job, named)
        await asyncio.sleep(POLL_SECONDS)


async def require_channel(job: RunningJob[AnyJob]) -> bool | None:
    """Return True once the gateway has loaded the channel, None where there is none that can be asked.

    It lists each channel that it has loaded, with or without accounts.

    Raises:
        WechatChannelError: it has not.
    """
    began = time.monotonic()
    while True:
        answer = await _status(job)
        if answer is not None and PLUGIN in (answer.get("channelOrder") or []):
            return True
        waited = time.monotonic() - began
        if answer is None and (waited >= LOADED_SECONDS or not await _there_is_a_gateway(job)):
            await job.line("No gateway could be asked whether it has the channel")
            return None
        if waited >= LOADED_SECONDS:
            raise WechatChannelError(
                f"The gateway has not loaded {PLUGIN!r}. Restart the gateway (`POST /v1/gateway/restart`)."
            )
        await asyncio.sleep(POLL_SECONDS)


async def stop_account(job: RunningJob[AnyJob], account: str) -> None:
    """Have the gateway stop an account, where it can be told so; its word is not needed."""
    try:
        async with call_gateway(job.host, await _config(job)) as call:
            if call.has("channels.stop"):
                await call.call("channels.stop", _named(account), seconds=CALL_SECONDS)
    except (GatewayUnreachableError, GatewayRefusedError) as exc:
        await job.line(f"The gateway is not told to stop the account: {exc.message}")
    except GatewayRpcError as exc:
        await job.line(f"The gateway did not stop the account: {exc.message}")


async def require_stopped(job: RunningJob[AnyJob], account: str) -> None:
    """Return once the gateway does not run an account any more whose token is gone.

    Earlier plugins end their last poll for messages first (35 s), and write down where it was.

    Raises:
        WechatChannelError: it still does.
        BuddyError: it could not be told.
    """
    began, told = time.monotonic(), False
    while True:
        rows = await _accounts(job)
        waited = time.monotonic() - began
        if rows is None and not await _there_is_a_gateway(job):
            return
        if rows is not None and not any(_runs(row, account, 0.0) for row in rows):
            return
        if waited >= CHANNEL_SECONDS:
            how = "the gateway does not tell whether it" if rows is None else "the gateway"
            raise WechatChannelError(
                f"The account {account!r} is unbound, but {how} still runs it. Restart the gateway"
                " (`POST /v1/gateway/restart`)."
            )
        if not told:
            told = True
            await _touch(job)
        await asyncio.sleep(POLL_SECONDS)


async def _restart(job: RunningJob[AnyJob], named: dict[str, str]) -> None:
    """Have the gateway start one anew, or all that stand still: by its own call, else as the plugin does."""
    try:
        async with call_gateway(job.host, await _config(job)) as call:
            if call.has("channels.start"):
                await _start(call, named)
                return
    except GatewayRpcError as exc:
        await job.line(f"The gateway refused to: {exc.message}")
    except (GatewayUnreachableError, GatewayRefusedError) as exc:
        await job.line(f"The gateway could not be told: {exc.message}")
        return
    async with hold_lock(job.host, NodeLock.CONFIG, seconds=GATEWAY_TURN_SECONDS):
        await _touch(job)


async def _touch(job: RunningJob[AnyJob]) -> None:
    async with hold_gateway(job.host, seconds=GATEWAY_TURN_SECONDS):
        await change_config(job, touch_channel, base_hash=None)


async def _start(call: GatewayCall, named: dict[str, str]) -> None:
    if "accountId" in named and call.has("channels.stop"):  # else one that runs stays as it is
        await call.call("channels.stop", named, seconds=CALL_SECONDS)
    await call.call("channels.start", named, seconds=CALL_SECONDS)


async def _accounts(job: RunningJob[AnyJob]) -> list[Row] | None:
    """Return what the gateway says of the accounts, None where none answers."""
    answer = await _status(job)
    if answer is None:
        return None
    return [row for row in (answer.get("channelAccounts") or {}).get(PLUGIN) or [] if isinstance(row, dict)]


async def _status(job: RunningJob[AnyJob]) -> dict[str, Any] | None:
    try:
        async with call_gateway(job.host, await _config(job)) as call:
            answer = await call.call("channels.status")
    except (GatewayUnreachableError, GatewayRefusedError, GatewayRpcError):
        return None
    return answer if isinstance(answer, dict) else {}


async def _there_is_a_gateway(job: RunningJob[AnyJob]) -> bool:
    return (await find_gateway(job.host.gateway, job.host.state)).process is not None


async def _config(job: RunningJob[AnyJob]) -> dict[str, Any]:
    return (await asyncio.to_thread(job.host.config_files.read)).config


def _runs(row: Row, account: str, since: float) -> bool:
    started = row.get("lastStartAt")
    late_enough = not isinstance(started, int | float) or started / 1000 >= since
    return row.get("running") is True and row.get("accountId") == account and late_enough


def _named(account: str | None) -> dict[str, str]:
    return {"channel": PLUGIN} if account is None else {"channel": PLUGIN, "accountId": account}


def _not_running(idle: list[str], rows: list[Row] | None) -> str:
    ours = [row for row in rows or [] if row.get("accountId") in idle]
    errors = [str(row["lastError"]) for row in ours if row.get("lastError")]
    said = f" It says: {errors[0]}" if errors else ""
    return (
        f"The gateway does not run what is bound: {', '.join(idle)}.{said} Restart the gateway"
        " (`POST /v1/gateway/restart`)."
    )
