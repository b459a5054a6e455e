"""`/v1/ws/logs` through a real server."""

import asyncio
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from buddy_common.adapters.task_stream import TaskStream
from buddy_common.db import tasks
from buddy_common.db.engine import Database
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from eventually import eventually
from proxy.conftest import Serve, Served
from proxy.socket_client import history, next_frame, refusal, socket_to
from proxy.test_hostile import ticket_of


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """OpenClaw's own log; without it, what other gateways of this machine write would be seen."""
    own = tmp_path / "own.log"
    config = {"logging": {"file": str(own)}, "gateway": {"auth": {"token": "a-gateway-token"}}}
    (tmp_path / "openclaw.json").write_text(json.dumps(config))
    monkeypatch.setenv("BUDDY_OPENCLAW_CONFIG_DIR", str(tmp_path))
    return own


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Buddy's folder of logs."""
    folder = tmp_path / "buddy" / "logs"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, *lines: str) -> None:
    with file.open("a") as log:
        log.write("".join(f"{line}\n" for line in lines))


def rotate(file: Path) -> None:
    file.rename(file.with_suffix(".1"))


async def test_the_gateways_output_is_streamed_without_a_gateway(proxy: Served, logs: Path) -> None:
    write(logs / "gateway-local.log", "one", "two", "three")

    async with socket_to(proxy, "logs?source=gateway&history_lines=2") as socket:
        assert await history(socket) == ["two", "three"]
        write(logs / "gateway-local.log", "four")
        assert await next_frame(socket) == "four"


async def test_openclaws_own_log_is_streamed_from_where_it_is_configured(
    proxy: Served, logs: Path, own: Path
) -> None:
    write(own, '{"1":"hello"}')
    write(logs / "gateway-local.log", "captured")

    async with socket_to(proxy, "logs") as socket:
        assert sorted(await history(socket)) == ["captured", '{"1":"hello"}']
        rotate(own)
        write(own, '{"1":"rotated, token a-gateway-token"}')
        assert await next_frame(socket) == '{"1":"rotated, token ***"}'


async def test_buddys_own_logs_are_another_source(proxy: Served, logs: Path) -> None:
    write(logs / "web.log", '{"event":"a"}')
    write(logs / "gateway-local.log", "not this")

    async with socket_to(proxy, "logs?source=buddy") as socket:
        assert await history(socket) == ['{"event":"a"}']
        write(logs / "worker-fast.log", '{"event":"b"}')
        assert await next_frame(socket) == '{"event":"b"}'


async def test_a_task_that_changes_is_told_with_its_state(
    proxy: Served, logs: Path, redis: Redis, database: Database
) -> None:
    async def add(node: str) -> str:
        return await database.run(
            lambda session: tasks.add(session, RestartGatewayJob(), node=node, actor="admin").id
        )

    mine, other = await add("local"), await add("elsewhere")
    async with socket_to(proxy, "logs?source=buddy&history_lines=0") as socket:
        assert await history(socket) == []
        write(logs / "web.log", "the stream runs")
        assert await next_frame(socket) == "the stream runs"
        await TaskStream(redis).append(other, [{"status": "Queued"}])
        frame = asyncio.create_task(next_frame(socket))
        while not frame.done():  # whenever it began to listen
            await TaskStream(redis).append(mine, [{"status": "Queued"}])
            await asyncio.wait([frame], timeout=0.05)

    told = json.loads(frame.result())
    assert told["type"] == "TASK_UPDATE"
    assert (told["data"]["taskID"], told["data"]["status"]) == (mine, "Queued")


async def test_a_line_of_a_megabyte_comes_whole(proxy: Served, logs: Path) -> None:
    async with socket_to(proxy, "logs?history_lines=0") as socket:
        await history(socket)
        write(logs / "gateway-local.log", "x" * 1_000_000, "next")
        assert len(await next_frame(socket)) == 1_000_000
        assert await next_frame(socket) == "next"


@pytest.mark.timeout(60)  # so much takes its time on a busy machine
async def test_a_reader_that_does_not_read_is_told_how_many_lines_it_lost(
    serve: Serve, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDDY_LOG_READER_LINES", "20")
    sent = 0
    async with (
        serve() as proxy,
        socket_to(proxy, "logs?history_lines=0", max_queue=1) as slow,
        socket_to(proxy, "logs?history_lines=0") as quick,
    ):
        await history(slow)
        await history(quick)
        for _ in range(20):  # 20 MB, more than all buffers on the way
            lines = [f"{sent + number} {'x' * 100_000}" for number in range(10)]
            sent += 10
            await asyncio.to_thread(write, logs / "gateway-local.log", *lines)
            for _ in lines:
                await next_frame(quick)

        lost = 0
        seen: list[int] = []
        while not seen or seen[-1] < sent - 1:
            frame = await next_frame(slow)
            if frame.startswith("{"):
                lost += json.loads(frame)["lines"]
            else:
                seen.append(int(frame.split()[0]))

    assert lost > 0
    assert lost + len(seen) == sent
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("source=nginx", "source"),
        ("history_lines=5001", "history_lines"),
        ("history_lines=-1", "history_lines"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(query: str, field: str, proxy: Served) -> None:
    body = await refusal(proxy, f"logs?{query}")
    assert (body["code"], body["data"]["error"]) == (400, "invalid_request")
    assert field in body["message"]


@pytest.mark.parametrize("path", ["logs", "tui", "shell"])
async def test_nobody_gets_in_without_a_credential_or_from_another_page(path: str, proxy: Served) -> None:
    assert (await refusal(proxy, path, headers={}))["code"] == 401
    assert (await refusal(proxy, path, headers={"Authorization": "Bearer wrong"}))["code"] == 401
    assert (await refusal(proxy, path, origin="http://evil.example"))["code"] == 403


async def test_the_feed_rests_when_the_last_reader_has_gone(proxy: Served, logs: Path) -> None:
    write(logs / "gateway-local.log", "one")
    async with socket_to(proxy, "logs") as socket:
        await history(socket)

    async def following() -> bool:
        return any("LogFeed" in str(task.get_coro()) for task in asyncio.all_tasks())

    assert await eventually(following, lambda still: not still) is False


async def test_a_page_of_ours_opens_one_socket_with_a_ticket(proxy: Served, logs: Path) -> None:
    write(logs / "gateway-local.log", "one")
    browser = {"headers": {}, "origin": proxy.url}
    path = f"logs?ticket={await ticket_of(proxy, seconds=60)}"

    async with socket_to(proxy, path, **browser) as socket:
        assert await history(socket) == ["one"]
    assert (await refusal(proxy, path, **browser))["code"] == 401
