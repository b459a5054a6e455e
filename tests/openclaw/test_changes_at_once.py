"""Changes of one openclaw.json by many clients at once: none is lost, who is late is told why."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from background import repeated
from openclaw_changes import SECOND, TOUCHED_BY_OPENCLAW, Changer, borrowed
from openclaw_system import System

# the older generation judges each change in six seconds and more of its own
pytestmark = [pytest.mark.openclaw, pytest.mark.faults, pytest.mark.timeout(1800)]

CLIENTS, CHANGES = 20, 60


@pytest.fixture
def changer(each_system: System) -> Iterator[Changer]:
    """The file is as it was after the test, and the gateway runs on it."""
    yield from borrowed(each_system)


@contextmanager
def watched(file: Path) -> Iterator[list[str]]:
    """Parse every version of the file that is seen while the block runs; collect those that are broken."""
    broken: list[str] = []
    seen = b""

    def look() -> None:
        nonlocal seen
        content = file.read_bytes()
        if content == seen:
            return
        seen = content
        try:
            json.loads(content)
        except ValueError:
            broken.append(content.decode(errors="replace"))

    with repeated(look):
        yield broken


def test_sixty_changes_at_once_lose_nothing_and_those_of_another_file_are_told(changer: Changer) -> None:
    """Every third names the file of before: of those, at most the very first change can be made."""
    system, buddy = changer.system, changer.system.buddy
    names = [f"p{number}" for number in range(CHANGES)]
    careful = set(names[::3])
    seen = {"If-Match": buddy.get("/v1/heal/backups").json()["data"]["current"]["hash"]}

    def add(name: str) -> httpx.Response:
        body = SECOND | {"provider": name, "models": []}
        headers = seen if name in careful else {}
        return buddy.request("POST", "/v1/openclaw/models/provider", json=body, headers=headers)

    with watched(system.openclaw.config_file) as broken, ThreadPoolExecutor(CLIENTS) as clients:
        answers = dict(zip(names, clients.map(add, names), strict=True))
        tasks = {name: buddy.finish_task(answer.json()["data"]["taskID"]) for name, answer in answers.items()}

    assert not broken
    assert {answer.status_code for answer in answers.values()} <= {200, 202, 409}
    done = {name for name, task in tasks.items() if task["status"] == "Completed"}
    late = {name for name, task in tasks.items() if task["errorCode"] == "config_changed"}
    assert done | late == set(names), [task["error"] for task in tasks.values() if task["error"]]
    assert late <= careful
    assert len(late) >= len(careful) - 1
    assert {name for name in changer.config["models"]["providers"] if name in names} == done
    for name in late:
        assert_told(answers[name], tasks[name])


def assert_told(answer: httpx.Response, task: dict[str, Any]) -> None:
    """Check that a change of a file that is not there any more is told with what differs, or was queued."""
    changes = task["result"]["changes"]
    paths = [change["path"] for change in changes if change["path"].split(".")[0] not in TOUCHED_BY_OPENCLAW]
    assert paths
    assert all(path.startswith("models.providers.p") for path in paths), changes
    if answer.status_code == httpx.codes.CONFLICT:
        assert answer.json()["data"]["error"] == "config_changed"
        assert answer.json()["data"]["changes"] == changes
    else:
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text


def test_a_client_that_has_seen_another_file_is_told_what_changed(changer: Changer) -> None:
    buddy = changer.system.buddy
    first = changer.ask("models/provider", **SECOND)["result"]["hash"]
    second = changer.ask("bots/set-identity", id="main", name="主")["result"]["hash"]
    headers = {"If-Match": f'"{first}"'}
    body = {"id": "main", "name": "别的"}

    answer = buddy.request("POST", "/v1/openclaw/bots/set-identity", json=body, headers=headers)
    task = buddy.finish_task(answer.json()["data"]["taskID"])

    assert task["errorCode"] == "config_changed"
    assert task["result"]["hash"] == second
    assert [row["op"] for row in task["result"]["changes"]]
    assert changer.bot("main")["name"] == "主"
