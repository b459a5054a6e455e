"""A worker that is killed at any moment of a change leaves the old config or the new one, and says which."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.change_journal import Side
from buddy_common.adapters.config_files import to_json
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.schemas.plugin_jobs import SetPluginJob
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.settle_change import NOTHING_WRITTEN, settle_if_free, what_is_there
from fakes.ports import free_port
from worker.usecases.killed_change import TASK
from worker.usecases.scene import RecordingJob, build_host

JOB = SetPluginJob  # a kind that changes the config
TESTS = Path(__file__).parents[2]
FEWEST_STEPS = 20  # a change has some thirty
# accepts every config: what it judges is not what is looked at here
PROGRAM = """#!/bin/sh
case "$1" in --version) echo "OpenClaw 2026.9.6 (fake)" ;; *) echo '{"valid":true,"warnings":[]}' ;; esac
"""
ROOT: dict[str, Any] = {"gateway": {"mode": "local"}, "x": "old"}
INCLUDE = {"$include": "./part.json5"}


@dataclass(frozen=True)
class Files:
    """The bytes of each file, before the change and after it."""

    old: dict[str, bytes]
    new: dict[str, bytes]


ONE_FILE = Files(
    old={"openclaw.json": to_json(ROOT)},
    new={"openclaw.json": to_json(ROOT | {"x": "new"})},
)
TWO_FILES = Files(
    old={"openclaw.json": to_json(ROOT | {"part": INCLUDE}), "part.json5": b"{y: 'old'} // by hand\n"},
    new={
        "openclaw.json": to_json(ROOT | {"x": "new", "part": INCLUDE}),
        "part.json5": to_json({"y": "new"}),
    },
)


class Place:
    """A host whose config is about to be changed, set up anew for each attempt."""

    def __init__(self, folder: Path, program: Path, files: Files) -> None:
        self.files = files
        self.config_dir = folder / "state"
        self.home = folder / "buddy"
        self.environment = {
            "BUDDY_HOME": str(self.home),
            "BUDDY_OPENCLAW": str(program),
            "OPENCLAW_CONFIG_DIR": str(self.config_dir),
            "BUDDY_GATEWAY_PORT": str(free_port()),
        }

    def set_up(self) -> None:
        for folder in (self.config_dir, self.home):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for name, content in self.files.old.items():
            (self.config_dir / name).write_bytes(content)
            (self.config_dir / name).chmod(0o600)

    def sides(self) -> dict[str, Side]:
        """Return of each file whether it is the old or the new one, byte by byte; there is no third."""
        found = {}
        for name in self.files.old:
            path = self.config_dir / name
            content = path.read_bytes()
            assert content in (self.files.old[name], self.files.new[name]), content
            assert path.stat().st_mode & 0o777 == 0o600
            found[name] = Side.OLD if content == self.files.old[name] else Side.NEW
        return found

    def side(self) -> Side:
        """Return what they are together."""
        found = set(self.sides().values())
        return found.pop() if len(found) == 1 else Side.MIXED


class Killer:
    """The process that makes the change and is killed by itself, again and again."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.usecases.killed_change"],
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make_change(self, place: Place, *, deadly: int) -> int:
        """Return how it ended: 0, or the signal below zero."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([place.environment, deadly]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=10)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    made = Killer()
    yield made
    made.close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "bin" / "openclaw"
    made.parent.mkdir()
    made.write_text(PROGRAM)
    made.chmod(0o755)
    return made


@pytest.fixture(params=[ONE_FILE, TWO_FILES], ids=["one file", "two files"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    made = Place(tmp_path / "place", program, request.param)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def unused_host_of_place(place: Place) -> HostPlane:
    """The next worker of the same host."""
    del place
    return build_host()


@pytest.fixture
async def host_of_place(unused_host_of_place: HostPlane) -> AsyncIterator[HostPlane]:
    yield unused_host_of_place
    await unused_host_of_place.close()


def look_after_kill(place: Place, host: HostPlane) -> tuple[Side, str | None]:
    """Check what a killed change has left, and what is made of it; return both."""
    left, told = place.side(), what_is_there(host, TASK, JOB)
    assert told == left.shown or (told == NOTHING_WRITTEN and left is Side.OLD)

    settle_if_free(host)

    settled = place.side()
    assert settled is (Side.OLD if left is Side.MIXED else left)
    assert what_is_there(host, TASK, JOB) == (told if told == NOTHING_WRITTEN else settled.shown)
    assert {path.name for path in place.config_dir.iterdir()} == set(place.files.old)
    return left, told


def edit_again(config: dict[str, Any]) -> None:
    config["z"] = 1


@pytest.mark.timeout(240)
async def test_wherever_a_change_is_killed_the_old_or_the_new_config_is_there_and_the_next_change_works(
    place: Place, killer: Killer, host_of_place: HostPlane
) -> None:
    host = host_of_place
    seen: set[tuple[Side, str | None]] = set()
    ended = -signal.SIGKILL
    deadly = 0
    while ended == -signal.SIGKILL:
        deadly += 1
        await asyncio.to_thread(place.set_up)
        ended = await asyncio.to_thread(killer.make_change, place, deadly=deadly)
        before = await asyncio.to_thread(place.side)
        if deadly % 2:  # of the others, the next change finds it as it was left
            seen.add(await asyncio.to_thread(look_after_kill, place, host))

        changed = await change_config(RecordingJob(host, "task-2").as_job(), edit_again, base_hash=None)

        assert (changed.changed, changed.via) == (["z"], "file")
        config = (await asyncio.to_thread(host.config_files.read)).config
        assert (config["z"], config["x"]) == (1, "new" if before is Side.NEW else "old")
        told = await asyncio.to_thread(what_is_there, host, TASK, JOB)
        after = Side.OLD if before is Side.MIXED else before
        assert told == after.shown or (told == NOTHING_WRITTEN and after is Side.OLD)
        seen.add((before, told))

    assert ended == 0
    assert deadly > FEWEST_STEPS
    assert {(Side.OLD, NOTHING_WRITTEN), (Side.OLD, Side.OLD.shown), (Side.NEW, Side.NEW.shown)} <= seen
    assert (Side.MIXED in {left for left, _ in seen}) == (len(place.files.old) > 1)
