"""Which WeChat sessions are over, by what the host sees: the plugin itself tells it to its log only.

After WeChat's error -14 it sleeps for an hour, tries once more and sleeps again; the gateway calls the
account running all the while.
"""

import asyncio
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from buddy_common.adapters.log_folders import is_own_folder, openclaw_log_folders
from buddy_common.adapters.wechat_accounts import BoundAccount, WechatAccounts
from buddy_common.schemas.wechat import AccountState

PIECE_BYTES = 4 * 1024 * 1024
MOST_BYTES = 16 * PIECE_BYTES
REACH_SECONDS = 75 * 60.0  # an expired session says so every hour
LOG_FILES = 2  # a new one begins at midnight
_TIME = re.compile(rb'"time":\s?"([^"]{10,40})"')
_SUBSYSTEM = b"gateway/channels/openclaw-weixin/"
# the newer plugin, the older one
_EXPIRED = re.compile(r"getUpdates: (?:token for \S+ is stale|session expired \(errcode)")
_EXPIRED_ERROR = re.compile(r"errcode[ =:]*-14\b|session (?:is )?(?:expired|paused)", re.IGNORECASE)


@dataclass(frozen=True)
class ExpiredSession:
    """A session that is over until somebody scans a new code; told apart by account and `bound_at`."""

    account: str
    user_id: str | None
    bound_at: float  # Unix seconds: another login of the same account makes this another session
    expired_at: float  # Unix seconds: when WeChat said so last


async def expired_sessions(
    state_dir: Path, *, log_folders: Sequence[Path] | None = None
) -> list[ExpiredSession]:
    """Return the sessions of this host's bound accounts that are over; nothing is written or asked.

    `account` and `bound_at` stay the same for as long as it is the same session: one alert for each pair.
    `log_folders` is where the plugin writes its log, by default where OpenClaw does.
    """
    return await asyncio.to_thread(_expired, state_dir, log_folders)


def _expired(state_dir: Path, log_folders: Sequence[Path] | None) -> list[ExpiredSession]:
    accounts = WechatAccounts(state_dir).all()
    said = said_expired([account.id for account in accounts], log_folders) if accounts else {}
    return [
        ExpiredSession(account.id, account.user_id, account.bound_at, said[account.id])
        for account in accounts
        if is_expired(account, said)
    ]


def said_expired(accounts: Sequence[str], log_folders: Sequence[Path] | None = None) -> dict[str, float]:
    """Return when the plugin last said of each account that its session is over, in Unix seconds. Blocks."""
    wanted, found = set(accounts), dict[str, float]()
    for line in _lines(openclaw_log_folders() if log_folders is None else log_folders):
        account, at = _expired_line(line)
        if account in wanted:
            found[account] = max(at, found.get(account, 0.0))
    return found


def is_expired(account: BoundAccount, said: Mapping[str, float]) -> bool:
    """Whether the session is over: WeChat has said so since the account was bound, and sent nothing since."""
    return said.get(account.id, 0.0) > max(account.bound_at, account.synced_at or 0.0)


def state_of(
    account: BoundAccount,
    live: Mapping[str, Any] | None,
    *,
    all_accounts: Sequence[BoundAccount],
    said: Mapping[str, float],
    asked: bool,
) -> AccountState:
    """Return how an account does; `live` is the gateway's row of it, if that was `asked` at all."""
    newer = (
        other.user_id == account.user_id and other.bound_at > account.bound_at
        for other in all_accounts
        if other.id != account.id
    )
    if account.user_id is not None and any(newer):
        return AccountState.BOUND_ELSEWHERE
    error = str((live or {}).get("lastError") or "")
    if is_expired(account, said) or _EXPIRED_ERROR.search(error):
        return AccountState.SESSION_EXPIRED
    if not asked:
        return AccountState.UNKNOWN
    running = live is not None and live.get("running") is True
    return AccountState.CONNECTED if running else AccountState.STOPPED


def _lines(folders: Sequence[Path]) -> Iterator[bytes]:
    """Return the plugin's lines about accounts in the newest logs."""
    for folder in filter(is_own_folder, folders):
        for file in sorted(folder.glob("openclaw-????-??-??.log"))[-LOG_FILES:]:
            yield from (line for line in _tail(file).split(b"\n") if _SUBSYSTEM in line)


def _tail(file: Path) -> bytes:
    try:
        # a pipe of that name must not hold us up: nobody may ever write to it
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                return b""
            return _read_back(stream, found.st_size)
    except OSError:  # another account's
        return b""


def _read_back(stream: BinaryIO, size: int) -> bytes:
    """Return the end of a log: piece by piece, until it holds all that was said lately."""
    content, start = b"", size
    while start > 0 and len(content) < MOST_BYTES and _seconds_told(content) < REACH_SECONDS:
        end, start = start, max(0, start - PIECE_BYTES)
        stream.seek(start)
        content = stream.read(end - start) + content
    return content


def _seconds_told(content: bytes) -> float:
    """Return how much time passes between the first and the last line of a log; 0 where none has a time."""
    first, last = _TIME.search(content), _TIME.search(content[content.rfind(b"\n", 0, -1) + 1 :])
    try:
        began, ended = (datetime.fromisoformat(found[1].decode()) for found in (first, last) if found)
    except ValueError:  # one of them has no time, or one that is none
        return 0.0
    return (ended - began).total_seconds()


def _expired_line(line: bytes) -> tuple[str | None, float]:
    """Return of which account a line says that its session is over, and when."""
    try:
        entry = json.loads(line)
        text, name, at = str(entry["1"]), str(entry["0"]), datetime.fromisoformat(str(entry["time"]))
    except (ValueError, KeyError, TypeError):  # the line that the tail begins in, or none of the plugin's
        return None, 0.0
    return (name.rpartition("/")[2] if _EXPIRED.search(text) else None), at.timestamp()
