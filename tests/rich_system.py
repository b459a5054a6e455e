"""A system with three bots, two providers and sessions that were really made, as its lists are compared."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from buddy_common.adapters.gateway_device import load_device
from buddy_common.adapters.gateway_rpc import open_gateway
from buddy_common.errors import GatewayUnreachableError
from openclaw_system import START_SECONDS, System
from real_openclaw import Generation

SECRETS = ["sk-planted-secret-1234567890", "sk-stand-in"]
CHATS = {"main": ["alice", "bob"], "bot_1": ["alice", "alice", "carol"]}
LISTS = (
    "/v1/openclaw/bots-models", "/v1/openclaw/bots/top", "/v1/openclaw/models/config", "/v1/openclaw/skills",
    "/v1/openclaw/plugins", "/v1/openclaw/sessions", "/v1/openclaw/chat/status", "/v1/wechat/config/status",
    "/v1/capabilities",
)  # fmt: skip
FRESH_SECONDS = 180.0  # the older one restarts for an edit


@dataclass
class Rich:
    """A system with three bots, two providers and sessions that were really made."""

    system: System
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return self.system.openclaw.generation is Generation.NEW

    def get(self, path: str, **query: str) -> Any:
        answer = self.system.buddy.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def rows(self, path: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path, **query)["data"]
        return found

    def ask(self, method: str, **params: Any) -> Any:
        """Ask the gateway itself."""
        device = load_device(self.system.buddy.machine.home / "nodes" / "local" / "device.key")
        openclaw = self.system.openclaw

        async def call() -> Any:
            async with open_gateway(
                openclaw.port, token=openclaw.token, device=device, on_event=lambda *_: None
            ) as connection:
                listening = asyncio.create_task(connection.listen())
                try:
                    return await connection.call(method, params, seconds=60)
                finally:
                    listening.cancel()

        return asyncio.run(call())

    def chat(self, bot: str, user: str) -> None:
        openclaw = self.system.openclaw
        question = {
            "model": f"openclaw/{bot}",
            "user": user,
            "messages": [{"role": "user", "content": "Hello"}],
        }
        headers = {"Authorization": f"Bearer {openclaw.token}", "x-openclaw-scopes": "operator.write"}
        url = f"http://127.0.0.1:{openclaw.port}/v1/chat/completions"
        httpx.post(
            url, json=question, headers=headers, timeout=START_SECONDS, trust_env=False
        ).raise_for_status()
        self.asked[bot] = self.asked.get(bot, 0) + 1

    def until_fresh(self) -> None:
        """Wait, without asking for it, until the lists are those of the gateway that runs."""
        self.until(lambda: not any(self.get(path)["stale"] for path in LISTS), what="all lists are fresh")

    def until(self, condition: Callable[[], bool], *, what: str) -> None:
        """Wait for it; a gateway that restarts meanwhile gives no answer, which is none."""

        def is_met() -> bool:
            try:
                return condition()
            except GatewayUnreachableError:
                return False

        self.system.buddy.until(is_met, what=what, seconds=FRESH_SECONDS)


def add_bots_and_a_provider(config: dict[str, Any], *, new: bool) -> None:
    """Put them into `openclaw.json`, in the layout of this generation."""
    model = {"id": "org/deep-1", "name": "Deep", "contextWindow": 32000, "maxTokens": 4096}
    provider = {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": SECRETS[0], "api": "openai-completions"}
    config["models"]["providers"]["second"] = {**provider, "models": [model]}
    bots: dict[str, dict[str, Any]] = {
        "main": {},
        "bot_1": {"name": "Bot One", "identity": {"name": "一号", "emoji": "🤖"}},
        "bot_2": {"model": "second/org/deep-1"},
    }
    if new:
        config["agents"] |= {"entries": bots, "ownership": "explicit"}
    else:
        config["agents"]["list"] = [{"id": name, **bot} for name, bot in bots.items()]
