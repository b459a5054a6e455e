"""Keepers that end with their test, and what their programs wait for."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from buddy_common.adapters import processes
from common.adapters.keeper.scene import Caller, Gateway, Kept, end_tree


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What a program can wait for: the first write opens it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@pytest.fixture
def keepers() -> Iterator[list[Kept]]:
    """Every keeper of a test, ended with it."""
    started: list[Kept] = []
    yield started
    for kept in started:
        kept.close()


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    caller = Caller(tmp_path)
    yield caller
    caller.kill()


@pytest.fixture
def gateways() -> Iterator[list[Gateway]]:
    """Every gateway of a test, ended with it."""
    started: list[Gateway] = []
    yield started
    for gateway in started:
        if (process := processes.from_record(gateway.told)) is not None:
            processes.send_signal(process, signal.SIGKILL)
        end_tree(gateway.keeper)
        os.close(gateway.output)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "nodes" / "local" / "gateway.json"
