"""The FastAPI application: routers, layers and error handlers, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from buddy_api.bodies import BodyLimit, ask_before_reading
from buddy_api.config import ApiConfig
from buddy_api.deps import Wiring, build_wiring
from buddy_api.docs import install_docs
from buddy_api.errors import install_error_handlers
from buddy_api.middleware import RequestContext
from buddy_api.own_pages import install_own_pages
from buddy_api.routers import (
    auth,
    bot_changes,
    bots,
    capabilities,
    chat,
    experts,
    gateway,
    heal,
    healing,
    health,
    metrics,
    model_probe,
    models,
    nodes,
    openclaw,
    plugins,
    quick_commands,
    sessions,
    settings,
    skills,
    stats,
    streams,
    system,
    task_events,
    tasks,
    wechat,
)
from buddy_common import __version__

log = structlog.get_logger(__name__)

_SHORT_TOKEN = 16
# what pages poll comes first: each router before it costs as much as reading from Redis does
_ROUTERS = (
    bots, sessions, skills, plugins, models, chat, openclaw, tasks, wechat, capabilities, experts, system,
    stats, bot_changes, heal, healing, settings, health, auth, nodes, quick_commands, model_probe, gateway,
    task_events, metrics, streams,
)  # fmt: skip


def create_app(config: ApiConfig) -> FastAPI:
    """Return the app; its connections open with the first request and close with the lifespan."""
    w = build_wiring(config)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if config.auth.token is not None and len(config.auth.token) < _SHORT_TOKEN:
            log.warning("short_token", advice="use a random token of at least 16 characters")
        with w.stopping.told_by_signals():
            yield
        await w.close()

    app = FastAPI(
        title="OpenClaw Buddy",
        version=__version__,
        description="Manage, watch and heal OpenClaw gateways from outside.",
        lifespan=lifespan,
        openapi_url=None,  # served by `docs`, behind the token
        docs_url=None,
        redoc_url=None,
    )
    app.state.wiring = w
    install_error_handlers(app)
    for module in _ROUTERS:
        # not `include_router`: what is included so is matched twice for each request
        app.router.routes.extend(module.router.routes)
    ask_before_reading(app)
    install_own_pages(app)
    install_docs(app, public=config.auth.docs_public)
    app.add_middleware(BodyLimit, limit_bytes=config.web.max_body_bytes)
    app.add_middleware(RequestContext, registry=w.metrics)
    return app


def wiring_of(app: FastAPI) -> Wiring:
    """Return the objects that the app was built with; for tests."""
    found = app.state.wiring
    if not isinstance(found, Wiring):
        raise TypeError("not one of our apps")
    return found
