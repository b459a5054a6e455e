"""A WeChat login of the fake program: its words are those of the real plugin, its gateway a test's own."""

import json
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buddy_common.errors import GatewayRpcError, GatewayUnreachableError
from buddy_common.schemas.wechat import PLUGIN
from fakes.openclaw_program import FakeOpenClaw

ACCOUNT = "b0f5860fdecb-im-bot"
QR = "▄▄▄▄▄\n█ ▀ █\n"
STARTING = "\x1b[36m正在启动...\x1b[0m\n"
SCANNED = "\n正在验证\n"
CONFIRMED = "\n已将此 OpenClaw 连接到微信。\n"
ALREADY_BOUND = "\n✅ 已连接过此 OpenClaw，无需重复连接。\n"
EXPIRED = "\n⏳ 二维码已过期，正在刷新...\n"
PROMPT = "输入手机微信显示的数字，以继续连接："
WRONG = "❌ 你输入的数字不匹配，请重新输入："


def address(number: int = 1) -> str:
    return f"https://liteapp.weixin.qq.com/q/mock?qrcode=mockqr{number}&bot_type=3"


def code(number: int = 1) -> str:
    asks = "用手机微信扫描以下二维码，以继续连接："
    return f"{asks}\n{QR}你可以访问以下链接以继续：\n{address(number)}\n正在等待操作...\n"


def bind(fake: FakeOpenClaw, *accounts: str, saved_at: str = "2026-11-20T10:00:00.000Z") -> None:
    """Have these accounts bound, as the plugin keeps them."""
    folder = fake.config_dir / PLUGIN / "accounts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "accounts.json").write_text(json.dumps(accounts))
    for account in accounts:
        saved = {"token": "bot-token", "savedAt": saved_at, "userId": f"{account}@user"}
        (folder / f"{account}.json").write_text(json.dumps(saved))
        (folder / f"{account}.sync.json").write_text("{}")


def bound(fake: FakeOpenClaw) -> list[str]:
    index: Path = fake.config_dir / PLUGIN / "accounts.json"
    return [str(account) for account in json.loads(index.read_bytes())] if index.exists() else []


@dataclass
class ChannelGateway:
    """What the gateway says of the accounts, and what it was asked."""

    rows: list[dict[str, Any]] | None = None  # None: no gateway answers
    methods: set[str] = field(default_factory=lambda: {"channels.status", "channels.start", "channels.stop"})
    does: Callable[[str], object] = lambda _: None
    refuses: str | None = None
    loaded: bool = True  # the plugin
    lists: Callable[[], list[str]] | None = None  # what the plugin tells it of; None: of all
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def has(self, method: str) -> bool:
        return method in self.methods

    async def call(self, method: str, params: Any = None, *, seconds: float = 10) -> Any:
        assert seconds > 0
        if method == "channels.status":
            order = ["telegram", PLUGIN] if self.loaded else ["telegram"]
            return {
                "channelOrder": order,
                "channelAccounts": {PLUGIN: await self._rows(), "telegram": [{"accountId": ACCOUNT}]},
            }
        self.asked.append((method, params))
        if self.refuses is not None:
            raise GatewayRpcError(method, code="INVALID_REQUEST", reason=self.refuses)
        self.does(method)
        return {"ok": True}

    @asynccontextmanager
    async def connect(self, *_: object) -> AsyncIterator["ChannelGateway"]:
        if self.rows is None:
            raise GatewayUnreachableError("No gateway listens on its port.")
        yield self

    async def _rows(self) -> list[dict[str, Any]]:
        rows = self.rows or []
        listed = {row["accountId"] for row in rows} if self.lists is None else await to_thread(self.lists)
        return [row for row in rows if row["accountId"] in listed]

    def runs(self, account: str, *, at: float) -> None:
        self.rows = [{"accountId": account, "running": True, "lastStartAt": at * 1000}]
