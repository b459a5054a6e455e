"""A change that the gateway itself writes, for a patch."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.processes import identify
from buddy_common.errors import (
    ConfigChangedError,
    ConfigRejectedError,
    GatewayBusyError,
    GatewayConfigError,
    IncludeUnsupportedError,
)
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.processes import ProcessIdentity
from buddy_worker import gateway_calls
from buddy_worker.usecases import change_config as module
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.confirm_change import Applied
from buddy_worker.usecases.delete_bot import delete_bot
from buddy_worker.usecases.way_back import keep_copy
from buddy_worker.usecases.witness import Witness, look_when_settled
from fakes.gateway import TOKEN, FakeGateway, Refusal, running
from worker.usecases.scene import RecordingJob

ROOT: dict[str, Any] = {"a": {"$include": "./a.json5"}, "x": "old"}
PART = {"b": "old"}


@pytest.fixture
def part(unused_host: HostPlane) -> Path:
    """The second file of a config of two."""
    root = unused_host.config_files.path
    made = root.with_name("a.json5")
    root.write_text(json.dumps(ROOT))
    made.write_text(json.dumps(PART))
    return made


@pytest.fixture
def device(tmp_path: Path) -> GatewayDevice:
    return load_device(tmp_path / "device.key")


@pytest.fixture
def somebody() -> ProcessIdentity | None:
    """A process that runs."""
    return identify(os.getpid())


@pytest.fixture
async def gateway(
    part: Path,
    host: HostPlane,
    device: GatewayDevice,
    somebody: ProcessIdentity | None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[FakeGateway]:
    """A gateway that writes patches; it is no process of its own, so where it is, it is told here."""

    def write(params: dict[str, Any]) -> dict[str, Any]:
        patch = json.loads(params["raw"])
        for path, wanted in ((part, patch.get("a")), (host.config_files.path, {"x": patch.get("x")})):
            if wanted and any(wanted.values()):
                path.write_text(json.dumps(json.loads(path.read_text()) | wanted))
        return {"ok": True}

    async def place(*_: Any) -> tuple[int, str, GatewayDevice]:
        return fake.port, TOKEN, device

    async def look(*_: Any, **__: Any) -> Witness:
        return Witness(host.gateway, somebody, {}, 0, None)

    async def confirm(*_: Any, **how: Any) -> Applied:
        assert how["acknowledged"]
        return Applied.HOT

    fake = FakeGateway({"config.get": {"hash": "h"}, "config.patch": write})
    monkeypatch.setattr(gateway_calls, "gateway_place", place)
    monkeypatch.setattr(module, "look_when_settled", look)
    monkeypatch.setattr(module, "confirm_change", confirm)
    async with running(fake):
        yield fake


@pytest.mark.parametrize("place", ["root", "part"])
async def test_what_the_gateway_has_written_into_one_of_two_files_is_still_there_afterwards(
    place: str, gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    def edit(config: dict[str, Any]) -> None:
        if place == "root":
            config["x"] = "new"
        else:
            config["a"]["b"] = "new"

    changed = await change_config(job.as_job(), edit, base_hash=None)

    assert changed.via == "rpc"
    assert changed.applied is Applied.HOT
    files = host.config_files
    assert files.path.with_name("a.json5").read_text() == json.dumps(
        PART | ({"b": "new"} if place == "part" else {})
    )
    assert json.loads(files.path.read_bytes()) == ROOT | ({"x": "new"} if place == "root" else {})
    assert await asyncio.to_thread(host.journal.open_change) is None
    assert (await asyncio.to_thread(host.history.listing))[0].name == changed.backup


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ("invalid config: x: bad", ConfigRejectedError),
        ("config write refused: $include owns a.b", IncludeUnsupportedError),
    ],
)
async def test_a_patch_that_is_refused_leaves_all_as_it_was(
    refusal: str, error: type[Exception], gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise Refusal("INVALID_REQUEST", refusal)

    gateway.methods["config.patch"] = refuse

    with pytest.raises(error, match=r"bad|included file"):
        await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert json.loads(host.config_files.path.read_bytes()) == ROOT
    assert await asyncio.to_thread(host.journal.open_change) is None


@pytest.mark.parametrize(
    "conflict",
    [
        "config changed since last load",
        "active config environment changed while preparing write; re-run config.get and retry",
    ],
)
async def test_a_patch_that_came_beside_another_edit_is_planned_anew(
    conflict: str, gateway: FakeGateway, job: RecordingJob
) -> None:
    write = gateway.methods["config.patch"]

    def refuse(_: dict[str, Any]) -> None:
        gateway.methods["config.patch"] = write
        raise Refusal("INVALID_REQUEST", conflict)

    gateway.methods["config.patch"] = refuse

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert (changed.via, changed.changed) == ("rpc", ["x"])


async def test_an_edit_that_is_refused_sends_nothing(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    def edit(_: dict[str, Any]) -> None:
        raise GatewayConfigError("In openclaw.json, x must be an object.")

    with pytest.raises(GatewayConfigError):
        await change_config(job.as_job(), edit, base_hash=None)

    assert gateway.calls.empty()
    assert await asyncio.to_thread(host.history.listing) == []


async def test_an_edit_that_changes_nothing_sends_nothing(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    changed = await change_config(job.as_job(), lambda config: config.update(x="old"), base_hash=None)

    assert (changed.via, changed.changed, changed.backup) == ("none", [], None)
    assert gateway.calls.empty()
    assert await asyncio.to_thread(host.history.listing) == []


async def test_a_client_that_has_seen_another_included_file_is_told_what_changed(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob, part: Path
) -> None:
    seen = (await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)).hash
    state = await asyncio.to_thread(host.config_files.read)
    await keep_copy(job.as_job(), state)
    await asyncio.to_thread(part.write_text, json.dumps({"b": "edited by hand"}))

    with pytest.raises(ConfigChangedError) as told:
        await change_config(job.as_job(), lambda config: config.update(x="newer"), base_hash=seen)

    now = await asyncio.to_thread(host.config_files.read)
    assert told.value.detail == {
        "hash": now.hash,
        "changes": [{"path": "a.b", "op": "replace", "old": "old", "new": "edited by hand"}],
    }
    changed = await change_config(job.as_job(), lambda config: config.update(x="newer"), base_hash=now.hash)
    assert changed.changed == ["x"]


@pytest.mark.parametrize("kept", [None, b"{ broken", b'{"$include": "./gone.json5"}'])
async def test_a_client_is_told_no_changes_where_what_it_has_seen_is_not_known(
    kept: bytes | None, host: HostPlane, job: RecordingJob, part: Path
) -> None:
    seen = "0" * 64
    if kept is not None:
        seen = (await asyncio.to_thread(host.history.add, kept, {}, reason=BackupReason.MANUAL)).hash

    with pytest.raises(ConfigChangedError) as told:
        await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=seen)

    assert told.value.detail["changes"] is None


RESTARTING = Refusal(
    "UNAVAILABLE",
    "config.patch unavailable during gateway restart",
    {"method": "config.patch", "reason": "gateway-restart"},
    {"retryable": True, "retryAfterMs": 10},
)


@pytest.mark.parametrize("method", ["config.get", "config.patch"])
async def test_a_gateway_that_takes_nothing_just_now_is_asked_again(
    method: str, gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    answer, tries = gateway.methods[method], 0

    def refuse_twice(params: dict[str, Any]) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise RESTARTING
        return answer(params) if callable(answer) else answer

    gateway.methods[method] = refuse_twice

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert (changed.via, changed.changed) == ("rpc", ["x"])
    assert json.loads(host.config_files.path.read_bytes())["x"] == "new"
    assert tries > 2


async def test_a_gateway_that_goes_away_and_comes_back_gets_the_patch_then(
    gateway: FakeGateway, job: RecordingJob
) -> None:
    write = gateway.methods["config.patch"]

    def go_away(_: dict[str, Any]) -> None:
        gateway.methods["config.patch"] = write
        for socket in gateway.sockets:
            socket.transport.abort()

    gateway.methods["config.patch"] = go_away

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert (changed.via, changed.changed) == ("rpc", ["x"])


async def test_a_gateway_that_falls_silent_over_a_change_that_it_was_sent_leaves_the_file_to_us(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may make the change yet: to say that it was given up would be wrong."""
    looks = 0

    async def busy_afterwards(*args: Any, **how: Any) -> Witness:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise GatewayBusyError(60)
        return await look_when_settled(*args, **how)

    async def confirm(*_: Any, **__: Any) -> Applied:
        return Applied.HOT

    def fall_silent(_: dict[str, Any]) -> None:
        for socket in gateway.sockets:
            socket.transport.abort()

    monkeypatch.setattr(module, "look_when_settled", busy_afterwards)
    monkeypatch.setattr(module, "confirm_change", confirm)
    gateway.methods["config.patch"] = fall_silent

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert (changed.via, changed.changed) == ("file", ["x"])
    assert json.loads(host.config_files.path.read_bytes())["x"] == "new"


async def test_a_gateway_that_stays_away_leaves_the_file_to_us(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def confirm(*_: Any, **how: Any) -> Applied:
        assert not how["acknowledged"]
        return Applied.HOT

    monkeypatch.setattr(module, "confirm_change", confirm)
    await gateway.crash()

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=None)

    assert (changed.via, changed.changed) == ("file", ["x"])
    assert json.loads(host.config_files.path.read_bytes())["x"] == "new"


@pytest.mark.parametrize("guarded", [False, True])
async def test_what_a_gateway_has_written_and_not_told_is_no_second_change(
    gateway: FakeGateway,
    job: RecordingJob,
    guarded: bool,  # noqa: FBT001 - a parameter
) -> None:
    """It wrote after we had looked whether it had; the client had said which config it has seen."""
    base = (await asyncio.to_thread(job.host.config_files.read)).hash if guarded else None
    write, looked = gateway.methods["config.patch"], False
    known = gateway.methods["config.get"]

    def keep_for_later(params: dict[str, Any]) -> None:
        def write_now(_: dict[str, Any]) -> Any:
            nonlocal looked
            if not looked:
                write(params)
            looked = True
            return known

        gateway.methods["config.get"] = write_now
        for socket in gateway.sockets:
            socket.transport.abort()

    gateway.methods["config.patch"] = keep_for_later

    changed = await change_config(job.as_job(), lambda config: config.update(x="new"), base_hash=base)

    assert (changed.via, changed.changed) == ("rpc", ["x"])
    assert [row["new"] for row in changed.changes] == ["new"]


LISTED = {"agents": {"list": [{"id": "main", "default": True}, {"id": "b"}]}, "x": "old"}
KEYED = {"agents": {"entries": {"main": {}}, "defaults": {"workspace": "/w"}}, "x": "old", "meta": {"at": 1}}


@pytest.mark.parametrize("tells", ["at once", "not at all", "not even when we look"])
async def test_a_bot_is_deleted_although_the_gateway_writes_the_rest_of_them_in_another_layout(
    tells: str,
    gateway: FakeGateway,
    host: HostPlane,
    job: RecordingJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def confirm(*_: Any, **how: Any) -> Applied:
        assert how["acknowledged"] is (tells != "not at all")
        return Applied.HOT

    monkeypatch.setattr(module, "confirm_change", confirm)
    file = host.config_files.path
    await asyncio.to_thread(file.write_text, json.dumps(LISTED))

    def delete(_: dict[str, Any]) -> dict[str, Any]:
        if tells == "not even when we look":
            gateway.methods["config.get"] = write
        else:
            file.write_text(json.dumps(KEYED))
        if tells != "at once":
            for socket in gateway.sockets:
                socket.transport.abort()
        return {"ok": True}

    def write(_: dict[str, Any]) -> dict[str, Any]:
        file.write_text(json.dumps(KEYED))
        return {"hash": "h"}

    gateway.methods["agents.delete"] = delete

    deleted = await delete_bot(job.as_job(), bot="b", base_hash=None)

    assert (deleted.via, deleted.archive.partition("@")[0]) == ("rpc", "b")
    assert set(deleted.changed) == {"agents.list", "agents.entries", "agents.defaults"}
    assert json.loads(file.read_bytes()) == KEYED


async def test_a_bot_that_is_still_there_is_not_deleted_whatever_the_gateway_says(
    gateway: FakeGateway, host: HostPlane, job: RecordingJob
) -> None:
    await asyncio.to_thread(host.config_files.path.write_text, json.dumps(LISTED))
    gateway.methods["agents.delete"] = {"ok": True}

    with pytest.raises(ConfigChangedError):
        await delete_bot(job.as_job(), bot="b", base_hash=None)

    assert await asyncio.to_thread(host.bot_archive.listing) == []
