"""A gateway that speaks HTTPS and WSS only is watched, listed and proxied like any other."""

from collections.abc import Iterator

import pytest

from openclaw_system import QUESTION, System, running_system
from real_openclaw import Generation

pytestmark = pytest.mark.openclaw


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("tls")
    with running_system(Generation.NEW, folder, {"tls": {"enabled": True}}) as system:
        yield system


def test_it_is_ready_and_its_lists_are_its_own(system: System) -> None:
    bots = system.buddy.get("/v1/openclaw/bots-models", refresh="true").json()["data"]

    assert system.buddy.get("/v1/openclaw/status").json()["data"]["health"] == "Healthy"
    assert (bots["source"], bots["stale"]) == ("rpc", False)


def test_its_panel_and_a_chat_come_through(system: System) -> None:
    page = system.buddy.request("GET", "/v1/proxy/")
    answer = system.buddy.request(
        "POST",
        "/v1/openclaw/chat/completions",
        json={"model": "openclaw", "messages": [{"role": "user", "content": QUESTION}]},
    )

    assert page.status_code == 200
    assert "<title>" in page.text
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]
