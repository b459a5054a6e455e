"""Keeping children alive, in the order that they need."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from buddy_cli import supervisor as module
from buddy_cli.children import BROKER
from buddy_cli.failures import StartError
from buddy_cli.supervisor import Supervisor

if TYPE_CHECKING:
    from cli.conftest import MakeChild, Supervised, Until

LIVE = "READY.touch(); time.sleep(60)"
DIE = "READY.touch(); sys.exit(3)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); READY.touch(); time.sleep(60)"


async def always() -> bool:
    return True


async def notes(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return what the supervisor itself wrote into the log of a child."""
    text = await asyncio.to_thread((folder / f"{name}.log").read_text)
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["service"] == "supervisor"]


async def test_a_child_that_dies_is_restarted_with_growing_back_off(
    tmp_path: Path,
    make_child: "MakeChild",
    supervised: "Supervised",
    until: "Until",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 0.2)
    async with supervised(make_child("web", DIE, ready=always)) as supervisor:
        await until(lambda: supervisor.keepers[0].restarts >= 4)

    ends = await notes(tmp_path, "web")
    assert [end["restart_in_seconds"] for end in ends[:4]] == [0.05, 0.1, 0.2, 0.2]
    assert {end["code"] for end in ends[:4]} == {3}


async def test_after_a_stable_stretch_the_back_off_starts_anew(
    tmp_path: Path,
    make_child: "MakeChild",
    supervised: "Supervised",
    until: "Until",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STABLE_SECONDS", 0)
    async with supervised(make_child("web", DIE, ready=always)) as supervisor:
        await until(lambda: supervisor.keepers[0].restarts >= 3)

    ends = await notes(tmp_path, "web")
    assert [end["restart_in_seconds"] for end in ends[:3]] == [0.05, 0.05, 0.05]


async def test_a_killed_child_is_back_with_another_pid_and_the_change_is_told(
    tmp_path: Path, make_child: "MakeChild", supervised: "Supervised", until: "Until"
) -> None:
    seen: list[tuple[int | None, int]] = []

    def see(supervisor: Supervisor) -> None:
        keeper = supervisor.keepers[0]
        seen.append((keeper.pid, keeper.restarts))

    async with supervised(make_child("web", LIVE), on_change=see) as supervisor:
        keeper = supervisor.keepers[0]
        first = keeper.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: keeper.restarts == 1 and keeper.pid is not None and len(seen) > 1)
        second = keeper.pid

    assert second != first
    assert seen == [(first, 0), (second, 1)]
    assert [end["code"] for end in await notes(tmp_path, "web")] == [-signal.SIGKILL]


async def test_what_a_child_writes_is_in_its_log(
    tmp_path: Path, make_child: "MakeChild", supervised: "Supervised"
) -> None:
    code = f"print('to stdout'); print('to stderr', file=sys.stderr); {LIVE}"
    async with supervised(make_child("web", code)):
        pass

    text = await asyncio.to_thread((tmp_path / "web.log").read_text)
    assert '"line": "to stdout"' in text
    assert '"line": "to stderr"' in text


async def test_stop_ends_all_within_the_bound_even_one_that_ignores_sigterm(
    tmp_path: Path, make_child: "MakeChild", supervised: "Supervised", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    names = ("one", "two", "three")
    children = [make_child(name, STUBBORN) for name in names] + [make_child("web", LIVE)]
    async with supervised(*children) as supervisor:
        pids = [keeper.pid for keeper in supervisor.keepers if keeper.pid is not None]
        began = time.monotonic()

    assert time.monotonic() - began < 2.5  # side by side, not one after the other
    assert len(pids) == 4
    assert not any(psutil.pid_exists(pid) for pid in pids)
    for name in names:
        assert [note["event"] for note in await notes(tmp_path, name)] == ["killed_at_stop"]


async def test_stop_does_not_wait_for_a_back_off(
    make_child: "MakeChild", supervised: "Supervised", until: "Until", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 60.0)
    async with supervised(make_child("web", DIE, ready=always)) as supervisor:
        await until(lambda: supervisor.keepers[0].pid is None)
        began = time.monotonic()

    assert time.monotonic() - began < 2
    assert supervisor.keepers[0].restarts == 0


ORDERED = """
def note(text):
    with open(os.path.join(os.environ["FOLDER"], "events"), "a") as file:
        print("{name}", text, file=file)
def stop(*_):
    time.sleep({delay})
    note("ends")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
time.sleep({delay})
note("is up")
READY.touch()
while True:
    time.sleep(1)
"""


async def test_the_broker_is_started_first_and_stopped_last(
    tmp_path: Path, make_child: "MakeChild", supervised: "Supervised"
) -> None:
    web = make_child("web", ORDERED.format(name="web", delay=0.3))
    broker = make_child(BROKER, ORDERED.format(name="broker", delay=0.1))

    async with supervised(web, broker):
        pass

    text = await asyncio.to_thread((tmp_path / "events").read_text)
    assert text.split("\n") == ["broker is up", "web is up", "web ends", "broker ends", ""]


async def test_the_rest_waits_for_a_broker_that_is_not_ready(
    tmp_path: Path, make_child: "MakeChild", supervised: "Supervised"
) -> None:
    with pytest.raises(StartError, match="broker did not come up"):
        async with supervised(make_child("web", LIVE), make_child(BROKER, "time.sleep(60)"), seconds=0.5):
            pass

    assert not await asyncio.to_thread((tmp_path / "web.ready").exists)


@pytest.mark.parametrize("code", ["time.sleep(60)", "sys.exit(1)"], ids=["silent", "crashing"])
async def test_a_child_that_never_becomes_ready_fails_the_start(
    make_child: "MakeChild", supervised: "Supervised", code: str
) -> None:
    pids: set[int | None] = set()

    with pytest.raises(StartError, match="web did not come up"):
        async with supervised(
            make_child("web", code),
            on_change=lambda supervisor: pids.add(supervisor.keepers[0].pid),
            seconds=0.5,
        ):
            pass

    assert pids
    assert not any(pid and psutil.pid_exists(pid) for pid in pids)


async def test_a_child_is_in_a_session_of_its_own(make_child: "MakeChild", supervised: "Supervised") -> None:
    """So Ctrl-C in the terminal, which signals our process group, does not reach it."""
    async with supervised(make_child("web", LIVE)) as supervisor:
        pid = supervisor.keepers[0].pid
        assert pid is not None
        assert os.getsid(pid) == os.getpgid(pid) == pid
