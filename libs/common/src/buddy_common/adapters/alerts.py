"""Telling people: by chat, webhook or mail, to every address of one list. Nothing here ever raises.

The addresses are those of apprise, which knows 170 services; they hold secrets, so no log line and no answer
has one.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import structlog
from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.logger import NotifyLogEntry

from buddy_common.settings import AlertSettings

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 20.0  # to connect, 4 s; to answer, 4 s; a mail takes longer
_GRACE_SECONDS = 2.0  # apprise keeps the deadline itself
_SECRET_PART = re.compile(r"[^/:@?&=#\s]{5,}")
_MOST_CHARACTERS = 300
_WARNING = 30  # as `logging` counts


@dataclass(frozen=True)
class Delivery:
    """What came of an alert at one address."""

    target: str  # the kind of service and its place in the list
    ok: bool
    problem: str | None = None


class Alerts:
    """Sends to all addresses at once."""

    def __init__(self, settings: AlertSettings, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._settings = settings
        self._deadline = deadline_seconds

    @cached_property
    def _urls(self) -> Sequence[str]:
        return self._settings.addresses

    async def notify(self, title: str, body: str) -> list[Delivery]:
        """Send it and return what came of it at each address, within the deadline; never raises."""
        sent = (self._send(place, url, title, body) for place, url in zip(count(1), self._urls, strict=False))
        deliveries = await asyncio.gather(*sent)
        for delivery in deliveries:
            if not delivery.ok:
                log.warning("alert_not_sent", target=delivery.target, reason=delivery.problem)
        return deliveries

    async def _send(self, place: int, url: str, title: str, body: str) -> Delivery:
        try:
            async with asyncio.timeout(self._deadline + _GRACE_SECONDS):
                return await _in_thread(lambda: self._send_now(place, url, title, body))
        except TimeoutError:
            return Delivery(f"#{place}", ok=False, problem=f"No answer within {self._deadline:.0f} s.")
        except Exception as exc:  # noqa: BLE001 - a service of another's making must not stop a repair
            # its text may hold the address
            return Delivery(f"#{place}", ok=False, problem=f"{type(exc).__name__}.")

    def _send_now(self, place: int, url: str, title: str, body: str) -> Delivery:
        asset = AppriseAsset(app_id="OpenClaw Buddy", secure_logging=True)
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            problem = "This is no address that apprise knows. See BUDDY_ALERT_URLS in .env.example."
            return Delivery(f"#{place}", ok=False, problem=problem)
        said: list[str] = []

        def hear(entry: NotifyLogEntry, _service: object) -> None:
            said.append(entry.message)

        sender = Apprise(asset=asset)
        sender.add(service)
        result = sender.notify(
            body=body,
            title=title,
            body_format=NotifyFormat.TEXT,
            timeout=self._deadline,
            log_callback=hear,
            log_level=_WARNING,
        )
        target = f"#{place} {service.service_name}"
        if result:
            return Delivery(target, ok=True)
        return Delivery(target, ok=False, problem=without_secrets(" ".join(said), url) or "It was not taken.")


async def _in_thread(work: Callable[[], Delivery]) -> Delivery:
    """Do it in a thread of its own: those of the event loop are few, and a repair needs them.

    One that hangs is left behind, and does not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Delivery] = loop.create_future()

    def finish(found: Delivery | Exception) -> None:
        if done.done():  # nobody waits any more
            return
        if isinstance(found, Delivery):
            done.set_result(found)
        else:
            done.set_exception(found)

    def run() -> None:
        found: Delivery | Exception
        try:
            found = work()
        except Exception as exc:  # noqa: BLE001 - it is raised where it is waited for
            found = exc
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(finish, found)

    threading.Thread(target=run, name="alert", daemon=True).start()
    return await done


def without_secrets(text: str, url: str) -> str:
    """Return a text without the parts of an address that may be secret; the scheme and the host may stay."""
    host = re.match(r"[a-z0-9+]+://(?:[^/@]*@)?([^/:?]*)", url, re.IGNORECASE)
    shown = {url.partition(":")[0], host[1] if host and "." in host[1] else ""}
    for part in sorted(set(_SECRET_PART.findall(url)) - shown, key=len, reverse=True):
        text = text.replace(part, "…")
    return text[:_MOST_CHARACTERS]
