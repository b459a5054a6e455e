"""The WeChat channel."""

import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse

from buddy_api.changes import Change, Changed, change_responses, status_of
from buddy_api.deps import JOB_ERRORS, LIST_ERRORS, Caller, Jobs, Node, Wired, Wiring
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.node_lists import Mirror
from buddy_api.usecases.wechat_login import (
    Joined,
    await_code,
    follow_login,
    hand_in_code,
    join_login,
    rejoin_login,
)
from buddy_api.wechat_events import EVENT_ID, EXAMPLE, LoginEvents, task_of
from buddy_api.wechat_schemas import CodeHandedIn, LoginCode, VerifyCode, WechatStatus, code_of
from buddy_common.adapters.access import require_own_page
from buddy_common.errors import (
    NotReportedError,
    NoWechatLoginError,
    TooManyWechatListenersError,
    UnknownWechatAccountError,
    WechatChannelError,
    WechatLoginError,
    WechatLoginTimeoutError,
    WechatNotInstalledError,
    WechatNumberPendingError,
)
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.tasks import TaskAccepted
from buddy_common.schemas.wechat import SUCCESSES, LoginView
from buddy_common.schemas.wechat_jobs import InstallWechatJob, UnbindWechatJob, WechatAccountId

router = APIRouter(prefix="/v1/wechat", tags=["wechat"])

CODE_SECONDS = 30.0
ANSWER_SECONDS = 8.0

_QRCODE_RESPONSES = {
    **problems(
        *JOB_ERRORS,
        WechatNotInstalledError,
        WechatLoginError,
        WechatLoginTimeoutError,
        TooManyWechatListenersError,
    ),
    200: {"content": {"text/event-stream": {"example": EXAMPLE}}},
    204: {
        "description": "This stream has told the end of its login, or that one is forgotten: do not reconnect"
    },
}


@router.get("/config/status", response_model=Envelope[WechatStatus], responses=problems(*LIST_ERRORS))
async def wechat_status(mirror: Mirror) -> Response:
    """Say which accounts are bound, how each does, and when it last synced."""
    return await mirror.flat(await mirror.get(Resource.WECHAT))


@router.post("/install", status_code=HTTPStatus.ACCEPTED, responses=problems(*JOB_ERRORS))
async def install(jobs: Jobs) -> Envelope[TaskAccepted]:
    """Install the WeChat plugin in the version that fits OpenClaw, and turn it on; again does no harm."""
    accepted = await jobs.submit(InstallWechatJob())
    return ok(accepted, message="WeChat installation initiated", status=HTTPStatus.ACCEPTED)


async def _own_page(request: Request, caller: Caller) -> None:
    require_own_page(request, caller)


@router.get(
    "/qrcode",
    response_model=Envelope[LoginCode],
    responses=_QRCODE_RESPONSES,
    dependencies=[Depends(_own_page)],
)
async def qrcode(
    request: Request,
    w: Wired,
    caller: Caller,
    node: Node,
    *,
    stream: Annotated[bool, Query(description="As server-sent events, without `Accept`")] = False,
    fresh: Annotated[
        bool, Query(description="Start another login, although one has gone well within the last minute")
    ] = False,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", pattern=EVENT_ID)] = None,
) -> Response:
    """Log in to WeChat by a QR code: start a login, or join the one that the node has.

    The one GET that starts something. One shot answers within 30 s: with the code, or with `starting` to ask
    again. `Accept: text/event-stream` follows the login: `status` at each change, `qrcode` for each new code,
    `done` at the end; a client closes the stream then. Who reconnects is told an end that it has missed, else
    gets 204. The login ends `BUDDY_WECHAT_GRACE_SECONDS` after the last listener has left, but not before a
    code that was fetched by one shot has expired. A cookie counts on Buddy's own pages only, as `/wechat`: an
    address that was typed in, or followed from elsewhere, starts nothing.
    """
    deadline = monotonic() + CODE_SECONDS
    w.wechat_listeners.require_room()
    if last_event_id is None:
        await _require_installed(w, node)
        joined = await join_login(w, node=node, operator=caller, fresh=fresh)
    elif (again := await _again(w, node, last_event_id)) is not None:
        joined = again
    else:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    if stream or "text/event-stream" in request.headers.get("accept", ""):
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventSourceResponse(_events(w, joined), headers=headers)
    view = await await_code(w, joined, seconds=max(0.0, deadline - monotonic()))
    if view.done and (view.state not in SUCCESSES or view.error is not None):
        return _failure(view)
    answer = ok(code_of(view, cached=joined.cached)).model_dump(mode="json")
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.post("/qrcode/verify", responses=problems(*JOB_ERRORS, NoWechatLoginError, WechatNumberPendingError))
async def verify(body: VerifyCode, w: Wired, caller: Caller, node: Node) -> Envelope[CodeHandedIn]:
    """Hand in the number that the phone shows, while the login says `need_verifycode`.

    `state` is what came of it within some seconds: `need_verifycode` is a wrong number where `message` says
    so, else one that WeChat still looks at. No other is taken until it has.
    """
    view = await hand_in_code(w, node=node, code=body.code, operator=caller, seconds=ANSWER_SECONDS)
    return ok(CodeHandedIn(message=view.message or "验证码已提交", state=view.state, taskID=view.task_id))


@router.delete(
    "/accounts/{id}",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownWechatAccountError, WechatChannelError),
)
async def unbind(
    account: Annotated[WechatAccountId, Path(alias="id", description="The `appId` of the account")],
    change: Change,
) -> Response:
    """Unbind an account: its channel is stopped and its token is gone."""
    return await change.make(UnbindWechatJob(account=account), "微信账号已解绑")


async def _events(w: Wiring, joined: Joined) -> AsyncIterator[bytes]:
    events = LoginEvents(cached=joined.cached)
    async for view in follow_login(w, joined):
        if piece := events.of(view):
            yield piece


async def _again(w: Wiring, node: str, event_id: str) -> Joined | None:
    """Return the login that a stream was about, None where it has told its end."""
    task_id, ended = task_of(event_id)
    return None if ended else await rejoin_login(w, node=node, task_id=task_id)


async def _require_installed(w: Wiring, node: str) -> None:
    """Refuse where there is no plugin; what nobody has reported yet, the login itself finds out."""
    for refresh in (False, True):  # it may have been installed a moment ago
        try:
            listed = await w.lists.get(node, Resource.WECHAT, refresh=refresh)
        except NotReportedError:
            return
        status = json.loads(listed.content.data)
        if status["installed"] and status["enabled"]:
            return
    raise WechatNotInstalledError


def _failure(view: LoginView) -> JSONResponse:
    slug = view.error or WechatLoginError.error
    status = status_of(slug)
    detail: dict[str, Any] = {"error": slug, "taskID": view.task_id, "state": view.state}
    return JSONResponse({"code": status, "message": view.message, "data": detail}, status_code=status)
