"""Structured logs: JSON lines, one event name plus key-values, secrets masked."""

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# bounded, so that no line can make it slow: logs hold what strangers write
_URL_PASSWORD = re.compile(r"(://[^:/@\s]{0,128}:)[^\s\"']{1,512}(?=@)")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+")
_QUERY_SECRET = re.compile(r"(?i)([?&#](?:token|ticket|qrcode)=)[^&\s\"']+")
# whoever has it can bind an account; the WeChat plugin logs it
_WECHAT_CODE = re.compile(r"(?i)(https?://[\w.-]{0,100}weixin\.qq\.com/q/)[^\s\"'\\<>]+")


def mask(text: str) -> str:
    """Return `text` without URL passwords, bearer tokens, token parameters and WeChat's codes."""
    text = _URL_PASSWORD.sub(r"\1***", text)
    text = _BEARER.sub(r"\1***", text)
    text = _WECHAT_CODE.sub(r"\1***", text)
    return _QUERY_SECRET.sub(r"\1***", text)


def _mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask(value)
    return event


def configure_logging(*, service: str, node: str, level: str = "INFO") -> None:
    """Send the logs of this process, those of its libraries too, to stdout as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _static(service=service, node=node),
            _mask_values,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "alembic.runtime.plugins", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for indiscreet in ("apprise", "urllib3"):  # what they log of a failed call has its address, token and all
        logging.getLogger(indiscreet).propagate = False
        logging.getLogger(indiscreet).handlers = [logging.NullHandler()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _static(**fields: Any) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**fields, **event}

    return add
