"""Makes the faults of a schedule, and waits until each has passed: what was hit is back."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from buddy_common.adapters.config_files import parse_config
from buddy_common.errors import GatewayConfigError
from chaos.facts import Blow, Facts, Window
from chaos.schedule import Act, Fault, Part
from chaos.stage import Stage

BACK_SECONDS = 60.0  # for a child that `buddy up` starts anew, with its back-off
READY_SECONDS = 90.0  # that a blow at the gateway waits for one that is up; then it meets one that starts
MENDED_SECONDS = 240.0  # for a gateway that has to start, on a busy machine
LOOK_SECONDS = 0.2
_CHUNKS = (64 * 1024 * 1024, 1024 * 1024, 4096)
_GONE = (psutil.NoSuchProcess, ProcessLookupError)


class NotThereError(Exception):
    """What was to be hit is not there, or does not come back."""


class Faults:
    """One system's faults."""

    def __init__(self, stage: Stage, facts: Facts) -> None:
        self._stage = stage
        self._facts = facts

    async def make(self, fault: Fault) -> None:
        """Make one fault, and wait until it has passed."""
        if fault.is_heavy:
            with contextlib.suppress(NotThereError):
                await until(self._gateway_is_ready, seconds=READY_SECONDS, what="the gateway is not ready")
        began, problem = time.time(), None
        try:
            match fault.act:
                case Act.KILL if fault.part is not None:
                    await self._kill(fault.part)
                case Act.FREEZE if fault.part is not None:
                    await self._freeze(fault.part, fault.seconds)
                case Act.FILL_DISK:
                    await self._fill(fault.seconds)
                case _:
                    await self._corrupt(fault)
        except NotThereError as exc:
            problem = str(exc)
        self._facts.blows.append(Blow(fault, Window(began, time.time()), problem))

    async def _find(self, part: Part, *, instead_of: int = 0) -> psutil.Process:
        """Return the process, when there is one."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            process = self._stage.parts().get(part)
            found[:] = [process] if process is not None and process.pid != instead_of else []
            return bool(found)

        seconds = MENDED_SECONDS if part is Part.GATEWAY else BACK_SECONDS
        await until(is_there, seconds=seconds, what=f"no {part} was there")
        return found[0]

    async def _kill(self, part: Part) -> None:
        process = await self._find(part)
        with contextlib.suppress(*_GONE):
            process.kill()
        await self._find(part, instead_of=process.pid)
        if part is Part.WEB:
            await until(self._answers, seconds=BACK_SECONDS, what="the api does not answer")

    async def _freeze(self, part: Part, seconds: float) -> None:
        process = await self._find(part)
        with contextlib.suppress(*_GONE):
            process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            with contextlib.suppress(*_GONE):  # psutil does not mistake another process for it
                process.send_signal(signal.SIGCONT)
        if part is Part.WEB:
            await until(self._answers, seconds=BACK_SECONDS, what="the api does not answer")

    def _gateway_is_ready(self) -> bool:
        try:
            return self._stage.buddy.status()["ready"] is True
        except (httpx.HTTPError, LookupError, ValueError):
            return False

    def _answers(self) -> bool:
        try:
            answer = httpx.get(f"{self._stage.buddy.url}/health", timeout=2, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    async def _fill(self, seconds: float) -> None:
        filler = self._stage.machine.folder / "filler"
        await asyncio.to_thread(fill, filler)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(filler.unlink)

    async def _corrupt(self, fault: Fault) -> None:
        """Write as an outside editor that does not look; see to it that the file is whole and right again."""
        path, began = self._stage.config_file, time.time()
        written: list[tuple[bytes, bytes]] = []
        await _write(lambda: written.append(corrupt(path, fault.act)))
        before, broken = written[0]
        try:
            if fault.then_kill:
                await self._kill(Part.GATEWAY)
            else:  # the writer takes the mistake back, unless somebody else has written meanwhile
                await asyncio.sleep(fault.seconds)
                await _write(lambda: take_back(path, broken, before))
            await until(
                lambda: is_mended(path, fault.act), seconds=MENDED_SECONDS, what="openclaw.json is not mended"
            )
        finally:
            self._facts.corruptions.append(Window(began, time.time()))


async def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until something is true.

    Raises:
        NotThereError: it was not in time.
    """
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise NotThereError(f"{what} within {seconds:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)


async def _write(write: Callable[[], object]) -> None:
    """Write as soon as that can be: another fault may have filled the disk, or broken the file."""

    def has_written() -> bool:
        try:
            write()
        except GatewayConfigError:
            return False
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            return False
        return True

    await until(has_written, seconds=MENDED_SECONDS, what="there was nothing to write to, or no room")


def fill(file: Path) -> None:
    """Take all space that is left where the file lies."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        size = 0
        for chunk in _CHUNKS:
            while _takes(descriptor, size, chunk):
                size += chunk
    finally:
        os.close(descriptor)


def _takes(descriptor: int, size: int, chunk: int) -> bool:
    try:
        os.posix_fallocate(descriptor, size, chunk)
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        return False
    return True


def corrupt(path: Path, act: Act) -> tuple[bytes, bytes]:
    """Break the file as one writer does; return what was in it before and what is in it now."""
    if act is Act.HALF_CONFIG:
        with path.open("r+b") as file:  # the very file that was read: nobody's newer one is halved unread
            before = file.read()
            file.truncate(len(before) // 2)  # in place, and needs no room
        return before, before[: len(before) // 2]
    while True:
        before = path.read_bytes()
        config = parse_config(before)
        _spoil(config, act)
        broken = json.dumps(config, indent=2).encode()
        if _replace(path, broken, instead_of=before):
            return before, broken


def _spoil(config: dict[str, Any], act: Act) -> None:
    if act is Act.BAD_PLUGIN:
        config.setdefault("plugins", {}).setdefault("entries", {})["ghost-soak"] = "yes"
    else:
        config["soak"] = {"nonsense": 1}


def is_whole(content: bytes) -> bool:
    """Whether it is a config that can be read."""
    try:
        parse_config(content)
    except GatewayConfigError:
        return False
    return True


def is_spoiled(content: bytes) -> bool:
    """Whether what an outside writer puts in is there."""
    config = parse_config(content)
    return "soak" in config or "ghost-soak" in config.get("plugins", {}).get("entries", {})


def is_mended(path: Path, act: Act) -> bool:
    """Whether the file is whole, and what an outside writer spoiled is not in it any more."""
    try:
        config = parse_config(path.read_bytes())
    except (GatewayConfigError, OSError):
        return False
    if act is Act.BAD_PLUGIN:
        return "ghost-soak" not in config.get("plugins", {}).get("entries", {})
    return "soak" not in config


def take_back(path: Path, broken: bytes, before: bytes) -> None:
    """Put back what was there, if nobody else has written since."""
    _replace(path, before, instead_of=broken)


def _replace(path: Path, content: bytes, *, instead_of: bytes) -> bool:
    """Write unless something else is there at the last moment: what others were promised is not undone."""
    temporary = path.with_name("openclaw.json.outside")
    temporary.write_bytes(content)
    temporary.chmod(0o600)
    if path.read_bytes() != instead_of:
        temporary.unlink(missing_ok=True)
        return False
    temporary.replace(path)
    return True
