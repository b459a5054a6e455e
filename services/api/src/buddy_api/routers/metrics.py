"""Figures for Prometheus; behind the token, as everything is."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from buddy_api.deps import Caller, Wired
from buddy_api.envelope import problems_beside_a_stream
from buddy_common.db import tasks
from buddy_common.errors import DatabaseUnavailableError, NotAuthenticatedError

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=problems_beside_a_stream(NotAuthenticatedError, DatabaseUnavailableError),
)
async def metrics(_caller: Caller, w: Wired) -> Response:
    """Return this process's counters and the number of tasks by node and status."""
    counts = await w.database.run(tasks.count_by_status)
    moment = CollectorRegistry()
    gauge = Gauge("buddy_tasks", "Tasks by node and status", ["node", "status"], registry=moment)
    for (node, status), count in counts.items():
        gauge.labels(node, status).set(count)
    text = generate_latest(w.metrics) + generate_latest(moment)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
