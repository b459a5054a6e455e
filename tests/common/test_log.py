"""Logs: JSON lines without secrets."""

import json
import subprocess
import sys
from typing import Any

import pytest

from buddy_common.log import mask

SECRET = "s3cret-Value.x_y~z"
PROGRAM = """
import logging
import structlog
from buddy_common.log import configure_logging

configure_logging(service="api", node="vps-1", level="info")
log = structlog.get_logger("buddy")
with structlog.contextvars.bound_contextvars(request_id="r1"):
    log.info("broker_connected", url="redis://:s3cret@h:6379/0", attempts=2)
log.debug("never_shown")
logging.getLogger("library").warning("GET %s", "/v1/x?token=s3cret&y=1")
try:
    raise RuntimeError("postgresql://buddy:s3cret@h/db is gone")
except RuntimeError:
    log.exception("cycle_failed")
"""


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"redis://:{SECRET}@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        (f"to postgresql://buddy:{SECRET}@db/buddy now", "to postgresql://buddy:***@db/buddy now"),
        (f"redis://:{SECRET}@a redis://:{SECRET}@b", "redis://:***@a redis://:***@b"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
        (f"authorization: bearer {SECRET}=, next", "authorization: bearer ***, next"),
        (f"GET /v1/x?token={SECRET}&y=1", "GET /v1/x?token=***&y=1"),
        (f"ws://h/ws?x=1&ticket={SECRET}", "ws://h/ws?x=1&ticket=***"),
        (f"'http://h/#token={SECRET}'", "'http://h/#token=***'"),
        (f"/x?TOKEN={SECRET} and more", "/x?TOKEN=*** and more"),
        (f"/get_qrcode_status?qrcode={SECRET}&x=1", "/get_qrcode_status?qrcode=***&x=1"),
        (
            f'{{"1":"二维码链接: https://liteapp.weixin.qq.com/q/{SECRET}?qrcode={SECRET}&bot_type=3","time":1}}',
            '{"1":"二维码链接: https://liteapp.weixin.qq.com/q/***","time":1}',
        ),
    ],
)
def test_mask_hides_the_secret_and_nothing_else(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://buddy:s3cret/more@db/buddy",  # SQLAlchemy takes it as it is
        "redis://:s3cret@more@h:6379/0",  # and so does redis-py
    ],
)
def test_mask_hides_a_password_that_somebody_did_not_quote(url: str) -> None:
    masked = mask(url)

    assert "s3cret" not in masked
    assert "more" not in masked


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:18789/readyz",
        "user@example.com wrote",
        "the bearer of news",
        "task-1774656000-9f3c1a7e",
        "/v1/x?tokens=3",
        "https://weixin.qq.com/",
    ],
)
def test_mask_leaves_the_rest_alone(text: str) -> None:
    assert mask(text).replace("***", "of") == text


def log_lines() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=9
    )
    assert done.stderr == ""
    assert "s3cret" not in done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_logs_are_json_lines_with_their_origin_and_no_secret() -> None:
    connected, library, failed = log_lines()

    assert connected["event"] == "broker_connected"
    assert connected["url"] == "redis://:***@h:6379/0"
    assert (connected["service"], connected["node"], connected["level"]) == ("api", "vps-1", "info")
    assert (connected["request_id"], connected["attempts"]) == ("r1", 2)
    assert connected["timestamp"].endswith("Z")
    assert library["event"] == "GET /v1/x?token=***&y=1"
    assert (library["logger"], library["service"]) == ("library", "api")
    assert "RuntimeError: postgresql://buddy:***@h/db is gone" in failed["exception"]
