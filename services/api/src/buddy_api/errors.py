"""Every failure leaves as an envelope, the framework's own too; bugs are the middleware's."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from buddy_api.envelope import problem_body
from buddy_common.errors import BuddyError, InvalidRequestError

log = structlog.get_logger(__name__)

_SLUGS = {
    HTTPStatus.NOT_FOUND: ("not_found", "There is no such route: {method} {path}."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "{path} does not take {method}."),
}


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(BuddyError, _buddy_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


def problem_response(exc: BuddyError) -> JSONResponse:
    """Return the response for one of our failures."""
    return JSONResponse(problem_body(exc), status_code=exc.status, headers=exc.headers)


async def _buddy_error(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, BuddyError):
        raise exc
    if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", error=exc.error, reason=exc.message)
    return problem_response(exc)


async def _validation_error(_request: Request, exc: Exception) -> JSONResponse:
    """The guide has no 422: what is malformed is 400, and the message names the field."""
    if not isinstance(exc, RequestValidationError):
        raise exc
    fields = []
    for error in exc.errors():
        where = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
        fields.append({"field": where, "problem": error["msg"]})
    text = "; ".join(f"{field['field']}: {field['problem']}" for field in fields)
    return problem_response(InvalidRequestError(f"Invalid request: {text}", fields=fields))


async def _http_exception(request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, HTTPException):
        raise exc
    status = HTTPStatus(exc.status_code)
    slug, text = _SLUGS.get(status, (status.phrase.lower().replace(" ", "_"), str(exc.detail)))
    message = text.format(method=request.method, path=request.url.path) if status in _SLUGS else text
    body = {"code": int(status), "message": message, "data": {"error": slug}}
    return JSONResponse(body, status_code=status, headers=exc.headers)
