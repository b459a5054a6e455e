"""A WeChat login as server-sent events."""

import time

from fastapi.sse import format_sse_event

from buddy_api.wechat_schemas import LoginDone, LoginStatus, code_of
from buddy_common.schemas.wechat import LoginView

RETRY_MILLISECONDS = 2000
_ENDED = ":done"
# the task of the login, and whether its end was told
EVENT_ID = rf"^[A-Za-z0-9_-]{{1,64}}({_ENDED})?$"
HEARTBEAT_SECONDS = 10.0

EXAMPLE = """\
event: status
data: {"state": "waiting_scan", "message": "", "taskID": "task-1774656000-9f3c1a7e"}
id: task-1774656000-9f3c1a7e
retry: 2000

event: qrcode
data: {"qrcode_url": "https://liteapp.weixin.qq.com/q/7GiQu1", "expires_at": "2026-03-28T10:05:00Z"}
id: task-1774656000-9f3c1a7e

: heartbeat

event: done
data: {"state": "confirmed", "account": "b0f5860fdecb-im-bot", "channel": "running", "error": null}
id: task-1774656000-9f3c1a7e:done
"""


class LoginEvents:
    """The events of one listener."""

    def __init__(self, *, cached: bool) -> None:
        self._cached = cached
        self._shown = 0
        self._retry: int | None = RETRY_MILLISECONDS
        self._said_at = time.monotonic()

    def of(self, view: LoginView | None) -> bytes:
        """Return what a change means on the wire; of None, a sign of life where it is time for one."""
        if view is None:
            if time.monotonic() - self._said_at < HEARTBEAT_SECONDS:
                return b""
            self._said_at = time.monotonic()
            return format_sse_event(comment="heartbeat")
        events = self._event("status", view, LoginStatus.of(view).model_dump_json())
        if view.qrcode_url is not None and view.number != self._shown:
            self._shown = view.number
            events += self._event("qrcode", view, code_of(view, cached=self._cached).model_dump_json())
        if view.done:
            events += self._event("done", view, LoginDone.of(view).model_dump_json(), ended=True)
        return events

    def _event(self, name: str, view: LoginView, data: str, *, ended: bool = False) -> bytes:
        self._said_at = time.monotonic()
        retry, self._retry = self._retry, None
        return format_sse_event(data_str=data, event=name, id=view.task_id + _ENDED * ended, retry=retry)


def task_of(event_id: str) -> tuple[str, bool]:
    """Return the login that an event was about, and whether it told the end."""
    return event_id.removesuffix(_ENDED), event_id.endswith(_ENDED)
