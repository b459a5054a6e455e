"""Submitting: what happens between the row and the message."""

import pytest

from api.acting import audit, claim_silently, poll, submit
from api.conftest import Api
from buddy_common.errors import BrokerUnavailableError


async def test_a_message_that_got_through_although_nobody_said_so_is_no_failure(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker took it and died before its answer: a worker has the task by then."""

    async def send(task_id: str, **_: object) -> None:
        assert await claim_silently(api, task_id) == 1
        raise BrokerUnavailableError("No answer.")

    monkeypatch.setattr(api.wiring.jobs._sender, "send", send)

    task_id = await submit(api)

    assert (await poll(api, task_id)).json()["data"]["status"] == "Running"
    assert [event["status"] for event in await audit(api)] == ["pending"]
