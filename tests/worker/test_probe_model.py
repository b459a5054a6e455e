"""Asking a provider itself: what is sent, what its failures become, and what is never told."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buddy_common.errors import (
    NoSuchModelError,
    UnknownProviderError,
    UnresolvedKeyError,
    UnsupportedApiError,
)
from buddy_common.schemas.model_probe_jobs import ProbeModelJob
from buddy_common.schemas.tasks import TaskStatus
from buddy_worker.runner import execute
from buddy_worker.tasks.model_probe import _probe
from buddy_worker.usecases.probe_model import ModelProbed, probe_model
from buddy_worker.wiring import Wiring
from fakes.model_provider import MODEL, PROVIDER, ModelProvider
from worker.queued import queue, row, view

KEY = "sk-planted-secret-9f3c"


@pytest.fixture
def stand_in() -> Iterator[ModelProvider]:
    provider = ModelProvider()
    yield provider
    provider.close()


@dataclass
class Asked:
    """What a provider was asked."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def provider_that_says(answer: bytes, *, hangs: bool = False) -> AsyncIterator[Asked]:
    """A provider that says the same to everything, and closes the connection unless it hangs."""
    asked = Asked()

    served: list[asyncio.Task[Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(this_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.lower().splitlines()
            lengths = [int(line[15:]) for line in lines if line.startswith("content-length")]
            if lengths:  # else a stranger is looking for whom had this port before
                asked.heads.append(head)
                asked.bodies.append(json.loads(await reader.readexactly(lengths[0])))
            writer.write(answer)
            await writer.drain()
            if hangs:
                await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asked.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield asked
        async with asyncio.timeout(5):
            await asyncio.gather(*served)


def this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def http(status: str, body: bytes, *, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


async def probe(
    tmp_path: Path, url: str, *, model: str = "m/1", environment: dict[str, str] | None = None, **more: Any
) -> ModelProbed:
    provider = {"baseUrl": url, "apiKey": KEY, "models": [{"id": "m/1"}]} | more
    config = {"models": {"providers": {"p": provider}}}
    return await probe_model(
        config, provider="p", model=model, environment=environment or {}, state_dir=tmp_path, seconds=2.0
    )


EVENT = http("200 OK", b'data: {"choices": []}\n\n', kind="text/event-stream")


async def test_model_that_answers_is_a_success_with_its_latency(
    stand_in: ModelProvider, tmp_path: Path
) -> None:
    done = await probe_model(
        stand_in.config, provider=PROVIDER, model=MODEL, environment={}, state_dir=tmp_path
    )

    assert (done.status, done.httpStatus, done.reason) == ("success", 200, None)
    assert 0 <= done.latency < 5000
    assert stand_in.bodies == [
        {
            "model": MODEL,
            "stream": True,
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 16,
        }
    ]


async def test_the_first_word_is_enough(stand_in: ModelProvider, tmp_path: Path) -> None:
    with stand_in.hold():
        done = await probe_model(
            stand_in.config, provider=PROVIDER, model=MODEL, environment={}, state_dir=tmp_path
        )

    assert done.status == "success"


@pytest.mark.parametrize(
    ("api", "path", "limit", "header"),
    [
        (None, "/v1/chat/completions", "max_tokens", f"authorization: Bearer {KEY}"),
        ("openai-completions", "/v1/chat/completions", "max_tokens", f"authorization: Bearer {KEY}"),
        ("openai-responses", "/v1/responses", "max_output_tokens", f"authorization: Bearer {KEY}"),
        ("anthropic-messages", "/v1/v1/messages", "max_tokens", f"x-api-key: {KEY}"),
    ],
)
async def test_each_api_is_spoken_as_openclaw_speaks_it(
    api: str | None, path: str, limit: str, header: str, tmp_path: Path
) -> None:
    async with provider_that_says(EVENT) as asked:
        done = await probe(tmp_path, asked.url, api=api, headers={"X-Team": "red", "Content-Length": "1"})

    assert done.status == "success"
    (head,), (body,) = asked.heads, asked.bodies
    assert head.startswith(f"POST {path} HTTP/1.1")
    assert header in head
    assert "x-team: red" in head
    assert (body["model"], body["stream"], body[limit]) == ("m/1", True, 16)


async def test_variables_are_those_of_openclaw(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TEAM=blue\n")
    async with provider_that_says(EVENT) as asked:
        await probe(
            tmp_path, asked.url, apiKey="${KEY}", headers={"X-Team": "${TEAM}"}, environment={"KEY": "sk-env"}
        )
        await probe(
            tmp_path, asked.url, apiKey={"source": "env", "provider": "default", "id": "k"},
            environment={"k": "sk-ref"}, authHeader=True, api="anthropic-messages",
        )  # fmt: skip

    assert "authorization: Bearer sk-env" in asked.heads[0]
    assert "x-team: blue" in asked.heads[0]
    assert "authorization: Bearer sk-ref" in asked.heads[1]


FAILURES = [
    (http("401 Unauthorized", b'{"error": {"message": "Bad key %s."}}' % KEY.encode()), 401, "Bad key …."),
    (http("429 Too Many Requests", b'{"error": "slow down"}'), 429, "slow down"),
    (http("500 Internal Server Error", b"<html>" + KEY.encode()), 500, "HTTP 500 Internal Server Error"),
    (http("302 Found", b"", more="Location: http://127.0.0.1:1/\r\n"), 302, "HTTP 302 Found"),
    (http("200 OK", b'{"error": {"code": "no_quota"}}'), 200, "no_quota"),
    (http("200 OK", b'event: error\ndata: {"error": {"message": "busy"}}\n\n'), 200, "busy"),
    (http("200 OK", b"<html>hello</html>", kind="text/html"), 200, "web page"),
    (http("200 OK", b""), 200, "empty"),
    (http("599 ", b'{"error": {"message": "a\\u0000\\n\\u001bb"}}'), 599, "HTTP 599: a b"),
    (b"nonsense\r\n\r\n", None, "RemoteProtocolError"),
    (b"", None, "RemoteProtocolError"),
]


@pytest.mark.parametrize(("answer", "status", "reason"), FAILURES, ids=lambda value: str(value)[:30])
async def test_failure_of_the_provider_is_told_without_the_key(
    answer: bytes, status: int | None, reason: str, tmp_path: Path
) -> None:
    async with provider_that_says(answer) as asked:
        done = await probe(tmp_path, asked.url)

    assert (done.status, done.httpStatus) == ("failed", status)
    assert done.reason is not None
    assert reason in done.reason
    assert KEY not in done.reason
    assert len(done.reason) <= 300
    assert len(asked.heads) == 1


async def test_flood_of_an_answer_is_cut_off(tmp_path: Path) -> None:
    async with provider_that_says(http("400 Bad Request", b"x" * 1_000_000), hangs=True) as asked:
        done = await probe(tmp_path, asked.url)

    assert (done.status, done.reason) == ("failed", "HTTP 400 Bad Request")


async def test_provider_that_never_answers_is_given_up(tmp_path: Path) -> None:
    async with provider_that_says(b"", hangs=True) as asked:
        done = await probe(tmp_path, asked.url)

    assert (done.status, done.httpStatus, done.reason) == ("failed", None, "no answer within 2 s")
    assert 1900 <= done.latency < 5000


async def test_provider_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = await probe(tmp_path, "http://127.0.0.1:1/v1")

    assert done.status == "failed"
    assert done.reason is not None
    assert done.reason.startswith("ConnectError")


async def test_unknown_provider_and_unknown_model_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnknownProviderError):
        await probe_model({}, provider="p", model="m", environment={}, state_dir=tmp_path)
    with pytest.raises(NoSuchModelError):
        await probe(tmp_path, "http://127.0.0.1:1", model="m/2")


@pytest.mark.parametrize("api", ["bedrock-converse-stream", "google-generative-ai"])
async def test_api_that_buddy_does_not_speak_is_refused(api: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedApiError, match="openai-completions"):
        await probe(tmp_path, "http://127.0.0.1:1", api=api)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://x", "http://", "http://[", "//x", "x:1"])
async def test_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedApiError, match="baseUrl"):
        await probe(tmp_path, url)


@pytest.mark.parametrize(
    "more",
    [
        {"apiKey": "${NOT_SET}"},
        {"apiKey": {"source": "exec", "provider": "x", "id": "rm -rf /"}},
        {"apiKey": {"source": "file", "provider": "x", "id": "/etc/passwd"}},
        {"apiKey": {"source": "env", "id": "NOT_SET"}},
        {"apiKey": 5},
        {"apiKey": "sk-\n-injected: yes"},
        {"apiKey": "sk-密钥"},
        {"headers": {"X": "${NOT_SET}"}},
        {"headers": {"X": ["a"]}},
        {"baseUrl": 5},
    ],
)
async def test_key_that_is_not_to_be_had_is_refused_before_anything_is_sent(
    more: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(UnresolvedKeyError) as failure:
        await probe(tmp_path, "http://127.0.0.1:1", **more)

    assert "models.providers.p." in failure.value.message
    assert "sk-" not in failure.value.message


async def test_malformed_header_name_is_told_without_its_value(tmp_path: Path) -> None:
    async with provider_that_says(EVENT) as asked:
        done = await probe(tmp_path, asked.url, headers={"bad name\n": KEY})

    assert done.status == "failed"
    assert KEY not in str(done.reason)
    assert asked.heads == []


async def test_provider_without_a_key_is_asked_without_one(tmp_path: Path) -> None:
    async with provider_that_says(EVENT) as asked:
        await probe(tmp_path, asked.url, apiKey=None)

    assert "authorization" not in asked.heads[0].lower()


async def test_the_job_reads_openclaws_config_and_its_row_holds_no_key(
    w: Wiring, stand_in: ModelProvider
) -> None:
    file = w.host.gateway_settings.config_file
    await asyncio.to_thread(file.write_text, json.dumps(stand_in.config))
    task_id = await queue(w, ProbeModelJob(provider=PROVIDER, model=MODEL))

    await execute(w, task_id, ProbeModelJob, _probe)

    task = await view(w, task_id)
    assert task.status is TaskStatus.COMPLETED, task.error
    assert task.result is not None
    assert task.result["status"] == "success"
    assert task.target == f"{PROVIDER}/{MODEL}"
    assert "sk-stand-in" not in (await row(w, task_id)).model_dump_json()
