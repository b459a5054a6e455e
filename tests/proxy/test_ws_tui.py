"""`/v1/ws/tui` through a real server, with a program on a real terminal."""

import asyncio
import json
from collections.abc import AsyncIterator

import psutil
import pytest
from sqlmodel import Session

from buddy_common.adapters import processes
from buddy_common.db import events
from buddy_common.db.engine import Database
from eventually import eventually
from fakes.openclaw_program import FakeOpenClaw
from proxy.conftest import Serve, Served
from proxy.socket_client import Typist, refusal, socket_to


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, fake_openclaw: FakeOpenClaw) -> pytest.MonkeyPatch:
    monkeypatch.setenv("BUDDY_OPENCLAW", str(fake_openclaw.program))
    monkeypatch.setenv("BUDDY_OPENCLAW_CONFIG_DIR", str(fake_openclaw.config_file.parent))
    return monkeypatch


@pytest.fixture
async def terminals(settings: pytest.MonkeyPatch, serve: Serve) -> AsyncIterator[Served]:
    async with serve() as served:
        yield served


async def pids(typist: Typist) -> list[int]:
    await typist.until("pids ")
    return [int(pid) for pid in (await typist.until("\r\n")).split()]


async def gone(wanted: list[int]) -> bool:
    return await asyncio.to_thread(lambda: all(processes.identify(pid) is None for pid in wanted))


async def test_what_is_typed_reaches_openclaw_and_its_screen_comes_back(terminals: Served) -> None:
    async with socket_to(terminals, "tui?cols=100&rows=30") as socket:
        typist = Typist(socket)
        await typist.until("openclaw tui 100x30 xterm-256color")

        await socket.send('{"type":"resize","cols":132,"rows":43}')
        await typist.until("openclaw tui 132x43")
        await socket.send("你好\r")
        await typist.until("you said 你好")
        await typist.type("binary\r")
        await typist.until("you said binary")
        await socket.send('{"type":"resize","cols":"wide"}\r')
        await typist.until('you said {"type":"resize","cols":"wide"}')


async def test_all_processes_end_with_the_socket(terminals: Served) -> None:
    async with socket_to(terminals, "tui") as socket:
        started = await pids(Typist(socket))
        assert len(started) == 2
        assert not await gone(started)

    assert await eventually(lambda: gone(started), bool, seconds=8)


async def test_a_program_that_ends_closes_the_socket_and_says_how(terminals: Served) -> None:
    async with socket_to(terminals, "tui") as socket:
        typist = Typist(socket)
        await pids(typist)
        await typist.type("/exit\r")
        code, reason = await typist.end()

    assert code == 1000
    assert "exit" in reason


async def test_a_client_that_does_not_read_makes_the_program_wait(terminals: Served) -> None:
    async with socket_to(terminals, "tui", max_queue=1, close_timeout=0.2) as socket:
        typist = Typist(socket)
        started = await pids(typist)
        await typist.type("/flood\r")

        program, before = psutil.Process(started[0]), -1.0

        async def rests() -> bool:
            nonlocal before
            earlier, before = before, sum(await asyncio.to_thread(program.cpu_times))
            return before == earlier

        assert await eventually(rests, bool, seconds=8)
    assert await eventually(lambda: gone(started), bool, seconds=8)


async def test_a_terminal_at_which_nobody_types_is_closed(settings: pytest.MonkeyPatch, serve: Serve) -> None:
    settings.setenv("BUDDY_TERMINAL_IDLE_SECONDS", "0.3")
    async with serve() as served, socket_to(served, "tui") as socket:
        code, reason = await Typist(socket).end()

    assert (code, reason) == (1001, "Nothing was typed for 0 s.")


async def test_a_frame_that_is_too_large_closes_the_terminal(
    settings: pytest.MonkeyPatch, serve: Serve
) -> None:
    settings.setenv("BUDDY_TERMINAL_FRAME_BYTES", "100")
    async with serve() as served, socket_to(served, "tui") as socket:
        await socket.send("x" * 101)
        assert await Typist(socket).end() == (1009, "A frame has at most 100 bytes.")


async def test_there_are_no_more_terminals_than_allowed_and_a_place_becomes_free(
    settings: pytest.MonkeyPatch, serve: Serve
) -> None:
    settings.setenv("BUDDY_TERMINALS", "1")
    async with serve() as served:
        async with socket_to(served, "tui") as socket:
            started = await pids(Typist(socket))
            body = await refusal(served, "tui")
            assert (body["code"], body["data"]["error"]) == (429, "too_many_terminals")

        async def taken() -> int:
            return served.wiring.rooms.tui.places.taken

        await eventually(taken, lambda count: count == 0, seconds=8)
        assert await gone(started)
        async with socket_to(served, "tui") as socket:
            assert await pids(Typist(socket))


async def test_without_openclaw_the_upgrade_says_so(settings: pytest.MonkeyPatch, serve: Serve) -> None:
    settings.setenv("BUDDY_OPENCLAW", "/nowhere/openclaw")
    async with serve() as served:
        body = await refusal(served, "tui")

    assert body["data"]["error"] == "openclaw_not_found"


@pytest.mark.parametrize("size", ["cols=0", "rows=1001", "cols=wide"])
async def test_a_size_that_cannot_be_is_refused(size: str, terminals: Served) -> None:
    body = await refusal(terminals, f"tui?{size}")
    assert (body["code"], body["data"]["error"]) == (400, "invalid_request")


async def test_who_opens_a_terminal_is_written_down(terminals: Served, database: Database) -> None:
    async with socket_to(terminals, "tui") as socket:
        await pids(Typist(socket))

    def read(session: Session) -> list[str]:
        return [json.loads(row.model_dump_json())["action"] for row in events.listing(session, node="local")]

    assert await database.run(read) == ["open_terminal"]
