"""A registry that has nothing."""

import httpx
import pytest

from buddy_common.adapters.empty_registry import empty_registry


async def test_it_has_nothing_whatever_it_is_asked_for() -> None:
    async with empty_registry() as url, httpx.AsyncClient(trust_env=False) as client:
        for path in ("/", "/api/v1/packages/x", "/a?b=c"):
            answer = await client.get(f"{url}{path}")
            assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


async def test_it_is_gone_after_the_block() -> None:
    async with empty_registry() as url:
        pass

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
