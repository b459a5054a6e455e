"""A gateway that is a stand-in, and the device that connects to it."""

from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from buddy_common.adapters.gateway_device import GatewayDevice
from fakes.gateway import (
    FakeGateway,
    running,
)


@pytest.fixture
def device() -> GatewayDevice:
    return GatewayDevice(Ed25519PrivateKey.generate())


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running(FakeGateway()) as fake:
        yield fake
