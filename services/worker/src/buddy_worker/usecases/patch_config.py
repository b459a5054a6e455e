"""Change the config through the gateway that runs, which checks, writes and applies it in one step.

Source: OpenClaw's docs/gateway/configuration/config-rpc.md. Of the newer generation only: the older one takes
three patches a minute and restarts for each (docs/gateway/configuration.md of 2026.3).
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from buddy_common.adapters.config_files import ConfigFiles, ConfigState
from buddy_common.adapters.finishing import for_a_while
from buddy_common.adapters.openclaw_config import Config
from buddy_common.config_diff import KeyChange, changes_between, holds, merge_patch, replaced_arrays
from buddy_common.errors import (
    BuddyError,
    ConfigRejectedError,
    GatewayRpcError,
    GatewayUnreachableError,
    IncludeUnsupportedError,
)
from buddy_worker.gateway_calls import GatewayCall
from buddy_worker.jobs import RunningJob

PATCH_SECONDS = 120.0  # it waits until the gateway has applied what it can without a restart
# once the job is cut off: what the gateway has begun to write it writes, whoever waits; where the worker
# stops, less than what a process has to end
CUT_OFF_SECONDS, STOPPING_SECONDS = 10.0, 2.5
CONFLICT_TRIES = 5
PATCH_METHODS = ("config.patch", "plugins.list")  # the second tells the newer generation: the older restarts
_CONFLICT = "changed since last load"  # the answer to another hash
_TRY_AGAIN = "; re-run config.get and retry"  # which the newer generation adds to whatever may be
_TOO_MANY = "rate limit exceeded"
LATER_CEILING_SECONDS = 330.0  # a gateway lets its chats end before it restarts, for so long at most
_INVALID = "invalid config"
_LATER_SECONDS = 5.0
# what it takes as an edit of the file, but not as a patch: an agent that goes, an array under a key with dots
_NOT_BY_PATCH = ("without an explicit deletion", "replacePaths")

Plan = Callable[[ConfigState], Sequence[KeyChange]]


# what its own writers add to the file with every write
OPENCLAWS_OWN = frozenset({"meta", "commands"})


@dataclass(frozen=True)
class RpcCall:
    """A method of the gateway, and what it gets."""

    method: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Instead(RpcCall):
    """One that makes a change in its own way: it may write more than was planned, or elsewhere."""

    is_done: Callable[[Config], bool]


class NotByPatchError(Exception):
    """The gateway does not make this change for a patch; nothing was written."""


@dataclass(frozen=True)
class Patched:
    """What came of a patch that is in the file."""

    before: ConfigState
    changes: Sequence[KeyChange]
    restarts: bool


def takes_patches(call: GatewayCall) -> bool:
    """Whether it is of the newer generation: the older one restarts for every patch."""
    return all(map(call.has, PATCH_METHODS))


def made_changes(
    changes: Sequence[KeyChange], before: ConfigState, now: ConfigState, instead: Instead | None
) -> Sequence[KeyChange] | None:
    """Return how planned changes stand in the config, None where they do not."""
    if all(holds(now.config, change) for change in changes):
        return changes
    if instead is None or not instead.is_done(now.config):
        return None
    made = changes_between(before.config, now.config)
    return [change for change in made if change.path[0] not in OPENCLAWS_OWN]


async def patch_config(
    call: GatewayCall,
    files: ConfigFiles,
    plan: Plan,
    *,
    keep: Callable[[ConfigState], Awaitable[None]],
    progress: RunningJob[Any],
    instead: Instead | None = None,
) -> Patched:
    """Send the changes that `plan` wants; where somebody else wrote in between, plan anew.

    `keep` is awaited with what is there before anything is sent; `instead` is a method of the gateway that
    makes the same change, which it does not take as a patch.

    Raises:
        ConfigRejectedError: OpenClaw does not take them; nothing was written.
        NotByPatchError: it takes them as an edit of the file only.
        IncludeUnsupportedError: it does not write into the included file.
        GatewayRpcError: it refused for another reason; nothing was written.
        GatewayUnreachableError: it gave no answer, and nothing was written.
    """
    for attempt in range(CONFLICT_TRIES):
        known = await _send(
            call, RpcCall("config.get", {}), progress
        )  # its hash first: an edit after this is a conflict
        state = await asyncio.to_thread(files.read)
        changes = await asyncio.to_thread(plan, state)
        if not changes:
            return Patched(state, changes, restarts=False)
        await keep(state)
        await progress.stage("writing", 50)
        try:
            answer = await _send(call, instead or _patch(changes, base=str(known["hash"])), progress)
        except (GatewayRpcError, GatewayUnreachableError) as exc:
            made = made_changes(changes, state, await asyncio.to_thread(files.read), instead)
            if made is not None:  # and only the applying of it went wrong
                return Patched(state, made, restarts=True)
            if _is_conflict(exc) and attempt + 1 < CONFLICT_TRIES:
                await progress.line("Somebody else has changed openclaw.json meanwhile: planned anew")
                continue
            raise _refusal(exc) from exc
        if instead is not None:
            made = made_changes(changes, state, await asyncio.to_thread(files.read), instead)
            changes = made or changes
        return Patched(state, changes, restarts=_needs_restart(answer))
    raise AssertionError("the last attempt returns or raises")


def _patch(changes: Sequence[KeyChange], *, base: str) -> RpcCall:
    params: dict[str, Any] = {"raw": json.dumps(merge_patch(changes)), "baseHash": base}
    arrays = replaced_arrays(changes)
    return RpcCall("config.patch", params | ({"replacePaths": arrays} if arrays else {}))


async def _send(call: GatewayCall, request: RpcCall, progress: RunningJob[Any]) -> Any:
    """Call it; again where the gateway says that it takes the same a little later.

    Who is cancelled meanwhile hears the answer first: it tells what there is in the file.
    """
    give_up = time.monotonic() + LATER_CEILING_SECONDS
    while True:
        try:
            return await for_a_while(
                call.call(request.method, request.params, seconds=PATCH_SECONDS),
                seconds=lambda: STOPPING_SECONDS if progress.stopping else CUT_OFF_SECONDS,
            )
        except GatewayRpcError as exc:
            too_many = _TOO_MANY in exc.reason
            seconds = exc.retry_after_seconds or (_LATER_SECONDS if too_many else None)
            if seconds is None or time.monotonic() + seconds > give_up:
                raise
            reason = "OpenClaw takes 30 changes a minute" if too_many else exc.reason
            await progress.stage(f"waiting {seconds:.0f} s: {reason}", 40)
            await asyncio.sleep(seconds)


def _is_conflict(exc: BuddyError) -> bool:
    return isinstance(exc, GatewayRpcError) and (
        _CONFLICT in exc.reason or exc.reason.rstrip(". ").endswith(_TRY_AGAIN)
    )


def _refusal(exc: GatewayRpcError | GatewayUnreachableError) -> Exception:
    if not isinstance(exc, GatewayRpcError):
        return exc
    if any(text in exc.reason for text in _NOT_BY_PATCH):
        return NotByPatchError(exc.reason)
    if "$include" in exc.reason:
        return IncludeUnsupportedError(f"OpenClaw does not write into the included file: {exc.reason}")
    if _INVALID in exc.reason:
        return ConfigRejectedError(f"Nothing was written, for OpenClaw refuses it: {exc.reason}")
    return exc


def _needs_restart(answer: Any) -> bool:
    for key in ("sentinel", "payload", "stats"):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return isinstance(answer, dict) and answer.get("requiresRestart") is True
