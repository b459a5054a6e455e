"""Changes: jobs whose outcome the client gets, if that comes before its patience ends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from buddy_api.deps import JOB_ERRORS, Jobs, Submitter, Wired, Wiring
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.prefer import RespondAsync
from buddy_api.usecases.watch_task import read_task
from buddy_common.errors import (
    BuddyError,
    ConfigChangedError,
    ConfigRejectedError,
    DeadlineExceededError,
    GatewayConfigError,
    IncludeUnsupportedError,
    JobCancelledError,
    JobInterruptedError,
)
from buddy_common.schemas.job import Job
from buddy_common.schemas.tasks import TaskAccepted, TaskStatus, TaskView

_ENDED_BADLY = {
    TaskStatus.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    TaskStatus.CANCELLED: HTTPStatus.CONFLICT,
    TaskStatus.INTERRUPTED: HTTPStatus.SERVICE_UNAVAILABLE,
}

# how a task can end, whatever it does
_TASK_ERRORS = (JobCancelledError, JobInterruptedError, DeadlineExceededError, BuddyError)

# what a route that changes `openclaw.json` can answer because of it
CONFIG_ERRORS = (
    *JOB_ERRORS,
    ConfigChangedError,
    ConfigRejectedError,
    GatewayConfigError,
    IncludeUnsupportedError,
)


class Changed(BaseModel):
    """A change that is made; `result` is that of its task."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "success",
                "message": "配置已更新",
                "taskID": "task-1774656000-9f3c1a7e",
                "result": {"changed": ["agents.entries.bot_1.model"], "applied": "hot"},
            }
        }
    )

    status: Literal["success"] = "success"
    message: str
    taskID: str  # noqa: N815 - the guide's name
    result: dict[str, Any] = {}


@dataclass(frozen=True)
class Changes:
    """Makes the changes that one request asks for."""

    w: Wiring
    jobs: Submitter
    respond_async: bool

    async def make(self, job: Job, message: str, *, flat: bool = False) -> Response:
        """Submit the job and answer with its outcome, or 202 when that takes longer than clients wait.

        `flat`: the fields of the result stand beside `status`, as the guide shows them for some.

        Raises:
            BrokerUnavailableError: the message could not be sent; the row is Failed and says so.
            IdempotencyConflictError: the key came before, with another request.
        """
        accepted = await self.jobs.submit(job)
        view = None if self.respond_async else await self._outcome(accepted.taskID)
        if view is None or not view.status.is_final:
            body: BaseModel = ok(accepted, message=f"{job.title} initiated", status=HTTPStatus.ACCEPTED)
            return JSONResponse(body.model_dump(), status_code=HTTPStatus.ACCEPTED)
        if view.status is not TaskStatus.COMPLETED:
            return _failure(view)
        result = view.result or {}
        answer: dict[str, Any] = {"status": "success", "message": message, "taskID": view.id}
        answer |= result if flat else {"result": result}
        return JSONResponse(ok(answer).model_dump())

    async def _outcome(self, task_id: str) -> TaskView:
        """Return the task when it has ended, or as it is when the time is up."""
        changes = self.w.changes
        deadline = time.monotonic() + self.w.config.web.wait_seconds
        position = await changes.position(task_id)
        view = await read_task(self.w.database, task_id)
        while not view.status.is_final:
            left = deadline - time.monotonic()
            if left <= 0 or changes.stopping:
                break
            position = await changes.wait(task_id, after=position, seconds=left)
            view = await read_task(self.w.database, task_id)
        return view


async def changes(w: Wired, jobs: Jobs, respond_async: RespondAsync) -> Changes:
    """Return what makes the changes of this request."""
    return Changes(w, jobs, respond_async)


Change = Annotated[Changes, Depends(changes)]


async def base_hash(
    given: Annotated[
        str | None,
        Header(
            alias="If-Match",
            pattern=r'^"?[0-9a-f]{64}"?$',
            description="The `hash` of the config that the change was made for: another one is 409",
        ),
    ] = None,
) -> str | None:
    """Return which `openclaw.json` the client has seen (RFC 9110 section 13.1.1)."""
    return None if given is None else given.strip('"')


BaseHash = Annotated[str | None, Depends(base_hash)]


def change_responses(
    *errors: type[BuddyError], message: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's `responses` of a route that changes openclaw.json; `message` is what it says then."""
    responses = job_responses(*CONFIG_ERRORS, *errors)
    if message is not None:
        done = {"status": "success", "message": message, "taskID": "task-1774656000-9f3c1a7e", "result": {}}
        example = ok(done).model_dump()
        responses[HTTPStatus.OK.value] = {"content": {"application/json": {"example": example}}}
    return responses


def job_responses(*errors: type[BuddyError]) -> dict[int | str, dict[str, Any]]:
    """Return the same of a route whose change leaves openclaw.json alone."""
    accepted = {"model": Envelope[TaskAccepted], "description": "It goes on in the background"}
    found = problems(*dict.fromkeys((*JOB_ERRORS, *errors, *_TASK_ERRORS)))
    return {HTTPStatus.ACCEPTED.value: accepted, **found}


def _failure(view: TaskView) -> JSONResponse:
    slug = view.errorCode or BuddyError.error
    status = _ENDED_BADLY.get(view.status) or status_of(slug)
    detail: dict[str, Any] = {**(view.result or {}), "error": slug, "taskID": view.id}
    body = {"code": int(status), "message": view.error or str(view.status), "data": detail}
    return JSONResponse(body, status_code=status)


def status_of(slug: str) -> HTTPStatus:
    """Return the status of a failure that is known by its slug only."""
    return _statuses().get(slug, BuddyError.status)


@cache
def _statuses() -> Mapping[str, HTTPStatus]:
    """Return the status of each slug, so that a failure answers alike wherever it was found."""
    found: dict[str, HTTPStatus] = {}
    waiting = [BuddyError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.error, kind.status)
        waiting += kind.__subclasses__()
    return found
