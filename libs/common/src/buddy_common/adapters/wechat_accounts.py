"""The WeChat accounts that the plugin has bound, as it keeps them in OpenClaw's state folder."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from buddy_common.adapters.atomic_file import replace_file
from buddy_common.adapters.wechat_messages import forget_messages
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import PLUGIN

_RAW_ENDS = {"-im-bot": "@im.bot", "-im-wechat": "@im.wechat"}  # earlier plugins named their files so
_FILES = ("{}.json", "{}.sync.json", "{}.context-tokens.json")


@dataclass(frozen=True)
class BoundAccount:
    """An account as its files tell; its token stays in them."""

    id: str
    user_id: str | None
    saved_at: str | None  # as the plugin wrote it
    synced_at: float | None  # Unix seconds: when it last received something

    @property
    def bound_at(self) -> float:
        """When it was bound, in Unix seconds; 0 where nothing tells."""
        try:
            return datetime.fromisoformat(self.saved_at or "").timestamp()
        except ValueError:
            return 0.0


class WechatAccounts:
    """The plugin's files; every method blocks."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / PLUGIN
        self._credentials = state_dir / "credentials"

    def ids(self) -> list[str]:
        """Return which accounts are bound, in the order in which they were."""
        listed = _read(self._index, [])
        return list(dict.fromkeys(name for name in listed if isinstance(name, str) and _is_a_name(name)))

    def find(self, account: str) -> BoundAccount:
        """Return what is known of an account; one without files has no fields."""
        saved: dict[str, Any] = next(
            (found for file in self._files(account, _FILES[:1]) if (found := _read(file, {}))), {}
        )
        user, at = saved.get("userId"), saved.get("savedAt")
        return BoundAccount(
            id=account,
            user_id=user if isinstance(user, str) else None,
            saved_at=str(at) if isinstance(at, str | int) else None,
            synced_at=_changed_at(self._folder / "accounts" / f"{account}.sync.json"),
        )

    def all(self) -> list[BoundAccount]:
        """Return all accounts that are bound."""
        return [self.find(account) for account in self.ids()]

    def drop_token(self, account: str) -> None:
        """Remove what an account signs in with; it stays listed, with all else that is known of it.

        Its own file stays even where nothing is left in it: the plugin looks for a token in older places, of
        which one is that of all accounts, only where there is none.

        Raises:
            StateUnwritableError: the files cannot be changed.
        """
        own, *earlier = self._files(account, _FILES[:1])
        saved: dict[str, Any] = next((found for file in (own, *earlier) if (found := _read(file, {}))), {})
        known = {name: value for name, value in saved.items() if name != "token"}
        try:
            like = next((file.stat() for file in (own, *earlier, self._index) if file.exists()), None)
            replace_file(own, json.dumps(known).encode(), like=like)
            for file in earlier:
                file.unlink(missing_ok=True)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def remove(self, account: str) -> None:
        """Unbind an account: what the plugin knows of it, who may write to it and what was written is gone.

        It is listed until all of that is, so that whoever fails half-way may try again.

        Raises:
            StateUnwritableError: the files cannot be changed.
        """
        left = [name for name in _read(self._index, []) if name != account]
        allowed = self._credentials / f"{PLUGIN}-{account.lower()}-allowFrom.json"
        try:
            for file in (*self._files(account, _FILES), allowed):
                file.unlink(missing_ok=True)
            forget_messages(self._folder.parent, _names(account))
            if self._index.exists():
                like = self._index.stat()
                replace_file(self._index, json.dumps(left, indent=2).encode(), like=like)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    @property
    def _index(self) -> Path:
        return self._folder / "accounts.json"

    def _unwritable(self, exc: OSError) -> StateUnwritableError:
        return StateUnwritableError(f"{self._folder} cannot be changed: {exc}.")

    def _files(self, account: str, names: tuple[str, ...]) -> list[Path]:
        return [self._folder / "accounts" / name.format(each) for each in _names(account) for name in names]


def _names(account: str) -> list[str]:
    """Return the account's id, and as earlier plugins wrote it."""
    raw = [account.removesuffix(end) + at for end, at in _RAW_ENDS.items() if account.endswith(end)]
    return [account, *raw]


def _is_a_name(text: str) -> bool:
    return bool(text.strip()) and "/" not in text and text not in (".", "..") and "\x00" not in text


def _changed_at(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _read(file: Path, otherwise: Any) -> Any:
    """Return a JSON file of the plugin; what cannot be read is as good as not there."""
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise
