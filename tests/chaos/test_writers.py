"""The clients that write: each change is noted with what became of it, under a key of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaos.caller import Caller
from chaos.entry_writers import KEPT, ModelWriter, NoteWriter
from chaos.facts import Facts, Said
from chaos.keys import BOT_NAME, FILE, GONE, MODEL, NOTE, THERE, config_values, file_values, row_values
from chaos.writers import add_what_is_written, said_by

Handle = Callable[[httpx.Request], httpx.Response]


def answer(status: int, **data: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": status, "message": "-", "data": data})


def caller_of(handle: Handle) -> Caller:
    caller = Caller("writer", "http://buddy", "token", Facts())
    caller.http = httpx.AsyncClient(base_url="http://buddy", transport=httpx.MockTransport(handle))
    return caller


class Models:
    """An API that has models; it may refuse to take one out."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.keeps = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            body = json.loads(request.content)
            assert request.url.path == "/v1/openclaw/models/provider/model"
            self.there.append(body["id"])
            return answer(200)
        if self.keeps:
            return answer(409, error="config_changed")
        name = request.url.path.removeprefix("/v1/openclaw/models/provider/second/model/")
        if name not in self.there:
            return answer(404, error="no_such_model")
        self.there.remove(name)
        return answer(200)


async def test_each_model_is_a_key_of_its_own_and_only_some_stand_at_a_time() -> None:
    models = Models()
    writer = ModelWriter(caller_of(models))

    problems = [await writer.once() for _ in range(KEPT + 5)]

    await writer.caller.close()
    assert problems == [None] * (KEPT + 5)
    attempts = writer.caller.facts.attempts
    there = {a.key for a in attempts if a.value == THERE}
    gone = {a.key for a in attempts if a.value == GONE}
    assert (len(there), len(gone)) == (KEPT + 5, 5)
    assert {f"{MODEL}{name}" for name in models.there} == there - gone


async def test_a_model_that_may_not_be_taken_out_now_is_taken_out_later() -> None:
    models = Models()
    writer = ModelWriter(caller_of(models))
    models.keeps = True
    for _ in range(KEPT + 1):
        await writer.once()
    models.keeps = False
    for _ in range(KEPT + 1):
        await writer.once()

    await writer.caller.close()
    gone = [a for a in writer.caller.facts.attempts if a.value == GONE]
    assert (gone[0].key, gone[0].said) == (f"{MODEL}soak-1", Said.REFUSED)
    assert "soak-1" not in models.there


async def test_a_model_that_a_rollback_has_taken_is_not_asked_for_again() -> None:
    models = Models()
    writer = ModelWriter(caller_of(models))
    for _ in range(KEPT):
        await writer.once()
    models.there.clear()

    for _ in range(KEPT + 5):
        await writer.once()

    await writer.caller.close()
    refused = [a.key for a in writer.caller.facts.attempts if a.said is Said.REFUSED]
    assert len(refused) == len(set(refused)) == KEPT


async def test_each_file_has_a_name_of_its_own() -> None:
    names: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        names.append(json.loads(request.content)["filename"])
        return answer(507, error="state_unwritable") if len(names) == 2 else answer(200)

    writer = NoteWriter(caller_of(handle))
    for _ in range(3):
        await writer.once()

    await writer.caller.close()
    attempts = writer.caller.facts.attempts
    assert [a.key for a in attempts] == [f"{NOTE}{name}" for name in names]
    assert len(set(names)) == 3
    assert [a.said for a in attempts] == [Said.ACKNOWLEDGED, Said.UNKNOWN, Said.ACKNOWLEDGED]


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("Completed", None, Said.ACKNOWLEDGED),
        ("Failed", "config_rejected", Said.REFUSED),
        ("Failed", "state_unwritable", Said.UNKNOWN),
        ("Interrupted", "interrupted", Said.UNKNOWN),
    ],
)
def test_a_task_that_has_ended_says_what_became_of_the_change(
    status: str, error: str | None, said: Said
) -> None:
    assert said_by({"status": status, "errorCode": error}) is said


def test_each_key_is_read_where_it_is_kept(tmp_path: Path) -> None:
    config: dict[str, Any] = {"agents": {}}
    add_what_is_written(config)
    config["agents"]["entries"]["bot_1"]["identity"] = {"name": "v3"}
    config["models"]["providers"]["second"]["models"].append({"id": "soak-1"})
    (tmp_path / "SOUL.md").write_text("v7")
    keys = [BOT_NAME, f"{MODEL}soak-1", f"{MODEL}soak-2", FILE, f"{NOTE}memory/soak-1.md", "database: other"]

    assert config_values(json.dumps(config).encode(), keys) == {
        BOT_NAME: "v3", f"{MODEL}soak-1": THERE, f"{MODEL}soak-2": GONE
    }  # fmt: skip
    assert file_values(tmp_path, keys) == {FILE: "v7", f"{NOTE}memory/soak-1.md": None}
    assert row_values({"soak-1"}, ["database: quick command soak-1", "database: quick command soak-2"]) == {
        "database: quick command soak-1": THERE, "database: quick command soak-2": GONE
    }  # fmt: skip


def test_of_a_config_that_cannot_be_read_nothing_is_there() -> None:
    assert config_values(b"{", [BOT_NAME, f"{MODEL}soak-1"]) == {BOT_NAME: None, f"{MODEL}soak-1": GONE}
