"""The header `Prefer`."""

import pytest

from buddy_api.prefer import responds_async


@pytest.mark.parametrize(
    "headers",
    [
        ["respond-async"],
        ["Respond-Async"],
        ["wait=10, respond-async"],
        ["respond-async; x=1, wait=10"],
        ["wait=10", "respond-async"],
    ],
)
async def test_respond_async_is_found_wherever_it_stands(headers: list[str]) -> None:
    assert await responds_async(headers)


@pytest.mark.parametrize(
    "headers", [None, [], [""], ["wait=10"], ["respond-asynchronously"], ["x=respond-async"]]
)
async def test_anything_else_waits(headers: list[str] | None) -> None:
    assert not await responds_async(headers)
