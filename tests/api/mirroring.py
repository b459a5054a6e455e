"""What a node mirrors, and a reader of it: for tests of the lists."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import httpx

from api.conftest import Api
from buddy_common.adapters.refresh_requests import ReadAnswer, ReadQuestion
from buddy_common.schemas.resources import Resource

TODAY = int(time.time()) // 86_400
BOT: dict[str, Any] = {
    "id": "main", "name": "核心Bot", "model": "p/m", "emoji": None, "workspace": "/w", "isDefault": True,
    "agentName": None, "identity": {},
}  # fmt: skip
CONTENT: dict[Resource, Any] = {
    Resource.BOTS_MODELS: {"bots": [BOT], "models": []},
    Resource.MODELS_CONFIG: {"providers": [{"name": "p", "apiKey": "sk-…abcd"}], "defaultModel": "p/m"},
    Resource.SKILLS: [{"name": "weather", "bundled": True}, {"name": "mine", "bundled": False}],
    Resource.PLUGINS: [
        {"id": "xai", "enabled": False, "status": "disabled", "origin": "bundled"},
        {"id": "offered", "enabled": False, "status": "not-installed", "installed": False},
        {"id": "openclaw-weixin", "enabled": True, "status": "loaded", "origin": "global"},
    ],
    Resource.SESSIONS: [
        {"agentId": agent, "key": f"agent:{agent}:{number}", "updatedAt": 100 - number}
        for number, agent in enumerate(["main", "bot_1", "main", "bot_1", "main"])
    ],
    Resource.CHAT: {"enabled": True},
    Resource.WECHAT: {
        "installed": False, "enabled": False, "configured": False, "pluginVersion": None, "accounts": [],
    },
    Resource.CAPABILITIES: {
        "version": "2026.9.6", "protocol": 4, "connected": True, "problem": None, "routes": [],
    },
    Resource.BOTS_TOP: [
        {
            "id": name, "name": name, "emoji": None, "model": None, "lastAskedAt": None,
            "questions": {str(TODAY): today, str(TODAY - 20): before}, "sessions": {str(TODAY): 1},
        }
        for name, today, before in [("quiet", 0, 1), ("busy", 3, 0), ("once-busy", 1, 9)]
    ],
}  # fmt: skip
NESTED = {
    "/v1/openclaw/bots-models": Resource.BOTS_MODELS,
    "/v1/openclaw/models/config": Resource.MODELS_CONFIG,
    "/v1/openclaw/skills": Resource.SKILLS,
    "/v1/openclaw/plugins": Resource.PLUGINS,
    "/v1/openclaw/sessions": Resource.SESSIONS,
}
FLAT = {
    "/v1/openclaw/chat/status": Resource.CHAT,
    "/v1/wechat/config/status": Resource.WECHAT,
    "/v1/capabilities": Resource.CAPABILITIES,
}
ALL = {**NESTED, **FLAT, "/v1/openclaw/bots/top": Resource.BOTS_TOP}


async def publish(
    api: Api, resource: Resource, value: Any = None, *, fresh_seconds: float = 30, linked: bool = True
) -> None:
    text = json.dumps(CONTENT[resource] if value is None else value)
    await api.wiring.read_model.put(
        "local", resource, text, source="rpc", fresh_seconds=fresh_seconds, of_gateway=True
    )
    await api.wiring.read_model.set_link("local", up=linked)


async def data_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def set_web(api: Api, **changes: object) -> None:
    """Let the app go on with other settings."""
    w = api.wiring
    web = w.config.web.model_copy(update=changes)
    api.app.state.wiring = replace(w, config=replace(w.config, web=web))


async def make_older(api: Api, resource: Resource, seconds: float) -> None:
    head = json.loads(str(await api.wiring.redis.hget("buddy:local:read", resource)))
    head["updated_at"] -= seconds
    await api.wiring.redis.hset("buddy:local:read", resource, json.dumps(head))


class reader:  # noqa: N801 - used like a function
    """A node's reader that publishes, or answers, the same to every question."""

    def __init__(
        self, api: Api, content: dict[Resource, Any] | None = None, *, answer: ReadAnswer | None = None
    ) -> None:
        self._api = api
        self._content = content or {}
        self._answer = answer or ReadAnswer()
        self._asked: list[ReadQuestion] = []

    async def __aenter__(self) -> list[ReadQuestion]:
        self._task = asyncio.create_task(self._run())
        return self._asked

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        requests = self._api.wiring.requests
        while True:
            question = await requests.next_question("local", seconds=1)
            if question is not None:
                self._asked.append(question)
                for resource, value in self._content.items():
                    await publish(self._api, resource, value)
                await requests.answer("local", question, self._answer)
