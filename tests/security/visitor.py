"""An operator who uses all of Buddy, makes mistakes, and keeps what came back."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.sync.client import connect

from e2e.machine import Buddy
from fakes.echoing_provider import EchoingProvider
from security.planted import Secret, make_secret
from security.secret_forms import config_secrets, text_secrets

# openclaw.json itself, what OpenClaw keeps of it, and what Buddy keeps to put it back: mode 0600, below 0700
CONFIG = ("openclaw/state/openclaw.json*", "home/nodes/local/backups/*")
QUARANTINE = "home/nodes/local/quarantine.json"
SAID = "openclaw/state/doctor.txt"  # what the small OpenClaw's doctor says is not OpenClaw's to keep


@dataclass
class Visitor:
    """Asks the API as an operator does, and keeps every answer but those that hand a secret out."""

    buddy: Buddy
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def ask(self, method: str, path: str, *, hands_out: bool = False, **options: Any) -> httpx.Response:
        answer = self.buddy.request(method, path, **options)
        if not hands_out:
            head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
            self.answers.append((f"{method} {path} {answer.status_code}", head.encode() + answer.content))
        return answer

    def change(self, path: str, *, method: str = "POST", **payload: Any) -> dict[str, Any]:
        """Make a change and return its task as it ended."""
        headers = {"Prefer": "respond-async"}
        answer = self.ask(method, path, json=payload or None, headers=headers)
        assert answer.status_code == 202, (path, answer.text)
        task_id = answer.json()["data"]["taskID"]
        task = self.buddy.finish_task(task_id)
        self.ask("GET", "/v1/tasks/status", params={"taskId": task_id})
        self.ask("GET", f"/v1/tasks/{task_id}/events")
        return task

    def done(self, path: str, *, method: str = "POST", **payload: Any) -> dict[str, Any]:
        task = self.change(path, method=method, **payload)
        assert task["status"] == "Completed", task
        return task

    def follow(self, source: str, *, until_seen: str) -> None:
        """Read a log through the socket until a line of it was seen."""
        url = f"{self.buddy.url.replace('http', 'ws')}/v1/ws/logs?source={source}&history_lines=5000"
        headers = {"Authorization": f"Bearer {self.buddy.token}"}
        with connect(url, additional_headers=headers, proxy=None, max_size=None) as socket:
            seen = str(socket.recv(timeout=20))
            while until_seen not in seen:
                seen += str(socket.recv(timeout=20))
        self.answers.append((f"WEBSOCKET /v1/ws/logs {source}", seen.encode()))


@dataclass
class Planted:
    """All secrets of a run."""

    token: Secret
    gateway: Secret
    provider: Secret
    header: Secret
    alert: Secret
    wechat: Secret
    mistyped: Secret
    session: Secret | None = None
    ticket: Secret | None = None
    in_config: dict[str, Secret] = field(default_factory=dict)  # by the form that each has there
    in_text: dict[str, Secret] = field(default_factory=dict)

    @property
    def all(self) -> list[Secret]:
        single = [secret for secret in vars(self).values() if isinstance(secret, Secret)]
        return [*single, *self.in_config.values(), *self.in_text.values()]


def plant(
    *,
    config: tuple[str, ...],
    quarantine: str | None = None,
    wechat: str | None = None,
    said: str | None = None,
) -> Planted:
    """Make all secrets; the arguments are the files in which some of them belong."""
    return Planted(
        token=make_secret("Buddy's token"),
        gateway=make_secret("the gateway's token", *config, odd=False),
        provider=make_secret("a provider's API key", *config, *([quarantine] if quarantine else [])),
        header=make_secret("a header of a provider", *config),
        alert=make_secret("the password in an alert's address", odd=False),
        wechat=make_secret("the token of a WeChat account", *([wechat] if wechat else [])),
        mistyped=make_secret("a mistyped token", odd=False),
        in_config=config_secrets(*config) if said else {},
        in_text=text_secrets(said) if said else {},
    )


def sign_in(visitor: Visitor, planted: Planted) -> None:
    """Sign in and out by all ways, and make the mistakes that people make."""
    url = visitor.buddy.url
    with httpx.Client(base_url=url, trust_env=False, headers={"Origin": url}) as browser:
        answer = browser.post("/login", json={"token": planted.token.value})
        assert answer.status_code == 200
        planted.session = Secret("a session", browser.cookies["guardian_token"])
        wrong = browser.post("/login", json={"token": planted.mistyped.value})
        visitor.answers.append(("POST /login 401", wrong.content))
        visitor.answers.append(("GET /v1/auth/me", browser.get("/v1/auth/me").content))
        ticket = visitor.ask("POST", "/v1/auth/ticket", hands_out=True).json()["data"]["ticket"]
        planted.ticket = Secret("a ticket", ticket)
    with httpx.Client(base_url=url, trust_env=False) as stranger:
        for query in ({"ticket": ticket}, {"ticket": ticket}, {"token": planted.token.value}):
            for path in ("/v1/auth/me", "/v1/nothing", "/v1/proxy/chat", "/v1/openclaw/status"):
                answer = stranger.get(path, params=query)
                visitor.answers.append((f"GET {path} {answer.status_code}", answer.content))
        for header in (planted.mistyped.value, planted.gateway.value):
            answer = stranger.get("/v1/tasks/status", headers={"Authorization": f"Bearer {header}"})
            visitor.answers.append(("GET with a wrong token", answer.content))


def use_models(visitor: Visitor, planted: Planted, provider: EchoingProvider) -> None:
    """Give a provider its key, have it refused, and send what is wrong."""
    base = f"http://127.0.0.1:{provider.port}/v1"
    fields = {"baseUrl": base, "apiKey": planted.provider.value, "api": "openai-completions"}
    models = [{"id": "m-1", "name": "One"}]
    headers = {"X-Auth": planted.header.value}
    path = "/v1/openclaw/models/provider"
    visitor.done(path, provider="echo", headers=headers, models=models, **fields)
    visitor.done(f"{path}/model", provider="echo", id="m-2", name="Two")
    tested = visitor.change("/v1/openclaw/models/test-direct", providerName="echo", modelId="m-1")
    assert any(planted.provider.value in key for key in provider.seen), tested
    # what is refused by the schema, by OpenClaw's rules, and by the path
    for body in (
        {"provider": "-bad-", **fields},
        {"provider": "echo", "apiKey": [planted.provider.value]},
        {"provider": {"apiKey": planted.provider.value}},
        {"provider": "echo2", "apiKey": planted.provider.value, "models": planted.header.value},
    ):
        assert visitor.ask("POST", path, json=body).status_code == 400
    visitor.ask("POST", path, content=f'{{"apiKey": "{planted.provider.value}"')
    # masked and sent back it means the same one
    shown = visitor.ask("GET", "/v1/openclaw/models/config", params={"refresh": "true"}).json()["data"][
        "data"
    ]
    assert "echo" in json.dumps(shown)


def use_backups(visitor: Visitor) -> None:
    """Make backups, look at what they have and at how they differ, and put one back."""
    visitor.done("/v1/heal/backups")
    rows = look_at_backups(visitor)
    visitor.ask("GET", f"/v1/heal/backups/{rows[-1]['name']}/diff", params={"against": rows[0]["name"]})
    visitor.change(f"/v1/heal/backups/{rows[0]['name']}/restore")


def look_at_backups(visitor: Visitor) -> list[dict[str, Any]]:
    """Look at what the newest backups have, and at how they differ from now."""
    rows: list[dict[str, Any]] = visitor.ask("GET", "/v1/heal/backups").json()["data"]["backups"]
    for row in rows[:10]:
        visitor.ask("GET", f"/v1/heal/backups/{row['name']}")
        visitor.ask("GET", f"/v1/heal/backups/{row['name']}/diff")
    return rows


READS = (
    "/health", "/ready", "/metrics", "/v1/nodes", "/v1/capabilities", "/v1/openclaw/status",
    "/v1/openclaw/version", "/v1/openclaw/dashboard-url", "/v1/openclaw/bots-models?refresh=true",
    "/v1/openclaw/bots/top", "/v1/openclaw/bots/file?id=main", "/v1/openclaw/models/config?refresh=true",
    "/v1/openclaw/skills", "/v1/openclaw/plugins?refresh=true", "/v1/openclaw/sessions",
    "/v1/openclaw/chat/status", "/v1/openclaw/chat/quick-commands", "/v1/openclaw/experts",
    "/v1/wechat/config/status?refresh=true", "/v1/tasks/status?limit=500", "/v1/system/info",
    "/v1/system/events?limit=1000", "/v1/stats/health", "/v1/heal/events?limit=1000", "/v1/heal/incidents",
    "/v1/heal/reports", "/v1/heal/quarantine", "/v1/heal/backups", "/v1/settings/self-healing",
    "/openapi.json", "/v1/proxy/", "/v1/proxy/__openclaw__/config.json",
)  # fmt: skip


def read_all(visitor: Visitor) -> None:
    for path in READS:
        visitor.ask("GET", path)
    for row in visitor.ask("GET", "/v1/heal/reports").json()["data"]["reports"]:
        visitor.ask("GET", f"/v1/heal/reports/{row['name']}")
    chat = {"model": "openclaw", "messages": [{"role": "user", "content": "hello"}]}
    visitor.ask("POST", "/v1/openclaw/chat/completions", json=chat)
    visitor.follow("buddy", until_seen="request")
    visitor.follow("gateway", until_seen="gateway")
