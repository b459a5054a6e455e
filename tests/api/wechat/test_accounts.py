"""The WeChat plugin and its accounts: jobs of the slow lane."""

import pytest

from api.acting import messages, row_of
from api.changing import assert_refused, submitted, worker
from api.conftest import Api
from api.wechat.playing import (
    SLOW,
)
from buddy_common.schemas.tasks import TaskStatus


async def test_installation_is_a_job_of_the_slow_lane(api: Api) -> None:
    answer = await api.client.post("/v1/wechat/install")

    assert (answer.status_code, answer.json()["code"]) == (202, 202)
    row = await row_of(api, answer.json()["data"]["taskID"])
    assert (row.kind, row.module, row.action) == ("buddy.wechat.install", "wechat", "install")
    assert await messages(api, SLOW) != []


async def test_account_is_unbound_by_a_job(api: Api) -> None:
    row = await submitted(api, "DELETE", "/v1/wechat/accounts/b0f5860fdecb-im-bot")

    assert (row.kind, row.target) == ("buddy.wechat.unbind", "b0f5860fdecb-im-bot")


async def test_unbound_account_is_told_in_the_answer(api: Api) -> None:
    async with worker(api, result={"account": "a", "left": []}):
        answer = await api.client.delete("/v1/wechat/accounts/a")

    assert answer.status_code == 200
    assert (answer.json()["data"]["status"], answer.json()["data"]["message"]) == (
        "success",
        "微信账号已解绑",
    )


async def test_account_that_is_not_bound_is_404(api: Api) -> None:
    async with worker(api, TaskStatus.FAILED, error="no", error_code="unknown_wechat_account"):
        answer = await api.client.delete("/v1/wechat/accounts/a")

    assert (answer.status_code, answer.json()["data"]["error"]) == (404, "unknown_wechat_account")


@pytest.mark.parametrize("account", ["-x", "a..b", ".a", "a%00b", "a b", "x" * 129])
async def test_name_that_is_no_accounts_is_refused(api: Api, account: str) -> None:
    await assert_refused(api, await api.client.delete(f"/v1/wechat/accounts/{account}"), "id")
