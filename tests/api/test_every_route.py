"""Every documented route does something when it is asked as its example says, with the token."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any

import pytest

from api.conftest import Api
from buddy_common.db import nodes
from contract.operations import Operation, all_operations

OPERATIONS = all_operations()
PATIENCE_SECONDS = 1.0
# what a parameter of a path must look like; any other takes a number
NAMES = {
    "/v1/heal/backups/": "openclaw-20260328-100000-0123abcd.bak",
    "/v1/heal/reports/": "incident.md",
}
# whose example is of a day that is over
BODIES = {"/v1/settings/self-healing": {"mode": "off"}}


@pytest.fixture
def api_environment(api_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nobody answers for the worker, and the routes need not wait for it."""
    api_environment.setenv("BUDDY_WAIT_SECONDS", "0.01")
    return api_environment


async def not_implemented(api: Api, operations: Iterable[Operation]) -> dict[str, str]:
    """Return the routes that are not there, or only say that they are not; with what they say."""
    found = {}
    for each in operations:
        prefix = next((prefix for prefix in NAMES if each.path.startswith(prefix)), None)
        path = re.sub(r"\{[^}]*\}", NAMES.get(prefix or "", "1"), each.path)
        needed = {
            part["name"]: "main"
            for part in each.says.get("parameters", [])
            if part["in"] == "query" and part.get("required")
        }
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await api.client.request(each.method, path, params=needed, json=body_of(each))
        except TimeoutError:  # it waits for its worker, which is more than to promise
            continue
        reached_nothing = answer.status_code in {400, 401, 403, 405, 422} and "command" not in each.path
        slug = "" if answer.status_code < 400 else str(answer.json())
        if answer.status_code == 501 or reached_nothing or "'not_found'" in slug:
            found[each.key] = f"{answer.status_code} {answer.text[:300]}"
    return found


def body_of(each: Operation) -> Any:
    if "requestBody" not in each.says:
        return None
    if each.path in BODIES:
        return BODIES[each.path]
    return each.example(each.says["requestBody"]["content"]["application/json"]["schema"])


async def test_no_documented_route_is_unknown_refuses_its_example_or_is_not_implemented(api: Api) -> None:
    await api.wiring.database.run(
        lambda session: nodes.touch(session, "local", hostname="here", proxy_url="https://n1.example")
    )
    operations = [each for each in OPERATIONS if each.path != "/login"]  # takes the token that it is given

    assert len(operations) > 70
    assert await not_implemented(api, operations) == {}


async def test_a_route_that_is_only_a_promise_is_found(api: Api) -> None:
    """Else a handler that raises 501 behind the token would pass, as it did."""
    promised = [each for each in OPERATIONS if each.key == "POST /v1/openclaw/chat/completions"]
    gone = Operation("GET /v1/gone", "/v1/gone", "GET", {}, {})

    found = await not_implemented(api, [*promised, gone])  # no proxy has registered

    assert [text[:3] for text in found.values()] == ["501", "404"]
