"""The OpenAPI document and Swagger UI, from files of our own: no CDN, behind the token by default."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib import resources
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.params import Depends as DependsParameter
from fastapi.responses import RedirectResponse

from buddy_api.chat_schemas import shapes as chat_shapes
from buddy_api.deps import Wired, operator
from buddy_api.envelope import problems_beside_a_stream
from buddy_common.errors import BodyTooLargeError, NotAuthenticatedError, NotFoundError

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
# Swagger UI starts itself by an inline script and draws with inline styles and data: images
_CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def install_docs(app: FastAPI, *, public: bool) -> None:
    """Add `/docs`, its assets and `/openapi.json`."""
    folder = resources.files("fastapi_swagger") / "resources"
    contents = {name: (folder / name).read_bytes() for name in _ASSETS}
    guard: Sequence[DependsParameter] = [] if public else [Depends(operator)]

    document = app.openapi
    # the way that FastAPI's guide "Extending OpenAPI" shows
    app.openapi = lambda: _completed(document())  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False, dependencies=guard)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    @app.get("/docs", include_in_schema=False)
    async def swagger_ui(request: Request, w: Wired) -> Response:
        if not public:
            try:
                await w.authenticator.authenticate(request)
            except NotAuthenticatedError:
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                return RedirectResponse("login?next=docs", status_code=HTTPStatus.SEE_OTHER)
        page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="docs/assets/swagger-ui-bundle.js",
            swagger_css_url="docs/assets/swagger-ui.css",
            swagger_favicon_url="docs/assets/favicon-32x32.png",
        )
        page.headers["Content-Security-Policy"] = _CSP
        return page

    @app.get("/docs/assets/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise NotFoundError(f"There is no such asset: {name}.")
        return Response(contents[name], media_type=_ASSETS[name])


def _links_of_a_task(paths: dict[str, Any]) -> dict[str, Any]:
    """Return what a client may ask next that was answered with a task."""
    task_id = "$response.body#/data/taskID"
    return {
        "follow": {
            "operationId": paths["/v1/tasks/status"]["get"]["operationId"],
            "parameters": {"query.taskId": task_id},
            "description": "How far it is, and how it ended",
        },
        "cancel": {
            "operationId": paths["/v1/tasks/{task_id}/cancel"]["post"]["operationId"],
            "parameters": {"path.task_id": task_id},
            "description": "End it",
        },
    }


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Say what the layers around the routes answer; what is malformed is 400 here, and never 422."""
    too_large = problems_beside_a_stream(BodyTooLargeError)[BodyTooLargeError.status]
    links = _links_of_a_task(document["paths"])
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            if "requestBody" in operation:
                responses.setdefault("413", too_large)
            if any(each["name"].lower() == "if-none-match" for each in operation.get("parameters", ())):
                responses["304"] = {"description": "The client has this version"}
            if "202" in responses:
                responses["202"]["links"] = links
    document["components"]["schemas"] |= chat_shapes()
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
