"""The api as an object, for what can be read off it."""

import pytest
from fastapi import FastAPI

from buddy_api.app import create_app
from buddy_api.config import ApiConfig


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("BUDDY_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("BUDDY_TOKEN", "a-token-for-the-contract-tests")
    return create_app(ApiConfig.from_environment())
