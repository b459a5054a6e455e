"""The command as a client: nobody answering is an answer, too."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from buddy_cli.api_client import ApiClient
from buddy_cli.failures import StartError
from fakes.ports import free_port


class Api:
    """Answers as scripted and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.requests: list[tuple[str, str, str | None]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.requests.append((self.command, self.path, self.headers["Authorization"]))
                status, body = api.answers.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    thread = threading.Thread(target=api.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield api
    api.server.shutdown()
    thread.join()
    api.server.server_close()


async def test_requests_carry_the_token(api: Api) -> None:
    api.answer(200, {"data": 1})
    api.answer(202, {"data": 2})
    client = ApiClient(api.url, "the-token")

    assert await client.get("/ready", wait="3") == (200, {"data": 1})
    assert await client.post("/v1/gateway/start") == (202, {"data": 2})
    assert api.requests == [
        ("GET", "/ready?wait=3", "Bearer the-token"),
        ("POST", "/v1/gateway/start", "Bearer the-token"),
    ]


async def test_nobody_answering_is_status_0() -> None:
    client = ApiClient(f"http://127.0.0.1:{free_port()}", "t")

    assert await client.get("/ready") == (0, {})
    assert await client.post("/v1/gateway/start") == (0, {})


@pytest.mark.parametrize("body", [b"<html>another program</html>", b"[1]", b"null"])
async def test_an_answer_that_is_not_ours_is_status_0(api: Api, body: bytes) -> None:
    api.answer(200, body)

    assert await ApiClient(api.url, "t").get("/ready") == (0, {})


async def test_finish_task_waits_for_the_end(api: Api) -> None:
    for end in (None, None, "2026-11-22T20:00:00Z"):
        api.answer(200, {"data": {"status": "Running", "endTime": end}})

    task = await ApiClient(api.url, "t").finish_task("task-1")

    assert task["endTime"] is not None
    assert {path for _, path, _ in api.requests} == {"/v1/tasks/status?taskId=task-1&wait=30"}
    assert len(api.requests) == 3


async def test_finish_task_gives_up_when_the_api_does(api: Api) -> None:
    api.answer(200, {"data": {"status": "Running", "endTime": None}})
    api.answer(404, {"message": "There is no task"})

    with pytest.raises(StartError, match="404"):
        await ApiClient(api.url, "t").finish_task("task-1")


@pytest.mark.parametrize(
    ("failed", "with_workers", "ready"),
    [
        ([], True, True),
        (["workers"], True, False),
        (["workers"], False, True),  # a control plane whose hosts are still to come
        (["database", "workers"], False, False),
    ],
)
async def test_the_api_is_ready_as_soon_as_what_its_plane_needs_is(
    api: Api, failed: list[str], *, with_workers: bool, ready: bool
) -> None:
    checks = {name: {"ok": name not in failed} for name in ("broker", "database", "workers")}
    api.answer(503 if failed else 200, {"data": {"checks": checks}})

    missing = await ApiClient(api.url, "the-token").missing(with_workers=with_workers)

    assert (missing is None) == ready


async def test_an_api_that_does_not_answer_is_not_ready() -> None:
    client = ApiClient(f"http://127.0.0.1:{free_port()}", "the-token")

    assert await client.missing(with_workers=False) == "the api does not answer"
