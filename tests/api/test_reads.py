"""Status, version, system, nodes, readiness and metrics: from what nodes have published."""

from datetime import UTC, datetime, timedelta

import pytest

from api.conftest import Api
from api.mirroring import set_web
from buddy_api.schemas import guide_duration
from buddy_common.db import nodes
from buddy_common.schemas.gateway import (
    Desired,
    GatewaySnapshot,
    GatewayState,
    OpenClawInstall,
    Probe,
)
from buddy_common.schemas.job import Lane
from buddy_common.schemas.resources import Resource
from buddy_common.schemas.verdicts import Verdict

NOW = datetime(2026, 3, 28, 10, 0, tzinfo=UTC)


async def publish(api: Api, *, fresh_seconds: float = 30, **changes: object) -> None:
    snapshot = GatewaySnapshot(
        node="local",
        observed_at=datetime.now(UTC),
        state=GatewayState.RUNNING,
        desired=Desired.RUNNING,
        port=18789,
        pid=4711,
        started_at=datetime.now(UTC) - timedelta(days=2, hours=4, minutes=12, seconds=5),
        cpu_percent=1.2,
        rss_bytes=128 * 1024 * 1024,
        disk_percent=45.2,
        probe=Probe(live=True, ready=True, event_loop_delay_p99_ms=21.0),
    ).model_copy(update=changes)
    model = api.wiring.read_model
    await model.put("local", Resource.GATEWAY, snapshot, source="process", fresh_seconds=fresh_seconds)
    await publish_version(api, "2026.9.6", fresh_seconds=fresh_seconds)


async def publish_version(api: Api, version: str, *, fresh_seconds: float = 30) -> None:
    install = OpenClawInstall(installed=True, version=version, path="/usr/bin/openclaw", installed_at=NOW)
    model = api.wiring.read_model
    await model.put("local", Resource.OPENCLAW, install, source="file", fresh_seconds=fresh_seconds)


async def test_status_has_the_guides_fields(api: Api) -> None:
    await publish(api)
    status = (await api.client.get("/v1/openclaw/status")).json()["data"]

    assert status["version"] == "2026.9.6"
    assert status["status"] == "Running"
    assert status["uptime"] == "2d 4h 12m"
    assert status["memoryMB"] == 128.0
    assert status["health"] == "Healthy"
    assert status["stale"] is False
    assert status["eventLoopDelayP99Ms"] == 21.0


@pytest.mark.parametrize(
    ("state", "health"),
    [
        (GatewayState.STOPPED, "Stopped"),
        (GatewayState.STARTING, "Starting"),
        (GatewayState.DEGRADED, "Degraded"),
        (GatewayState.HUNG, "Unhealthy"),
        (GatewayState.CRASHED, "Unhealthy"),
    ],
)
async def test_status_never_calls_a_sick_gateway_healthy(state: GatewayState, health: str, api: Api) -> None:
    await publish(api, state=state, pid=None, started_at=None)
    status = (await api.client.get("/v1/openclaw/status")).json()["data"]
    assert status["status"] == state
    assert status["health"] == health
    assert status["uptime"] is None


@pytest.mark.parametrize(
    "verdict", [Verdict.SAFE_MODE, Verdict.CONFIG_BROKEN, Verdict.DISK_FULL, Verdict.PORT_TAKEN]
)
async def test_status_says_what_the_watchdog_makes_of_it(verdict: Verdict, api: Api) -> None:
    await publish(api, verdict=verdict, reason="It runs, but not as it should.")
    status = (await api.client.get("/v1/openclaw/status")).json()["data"]
    assert (status["verdict"], status["reason"]) == (verdict, "It runs, but not as it should.")


async def test_status_without_a_watchdog_says_what_a_job_has_seen(api: Api) -> None:
    await publish(api, state=GatewayState.CONFIG_ERROR)
    status = (await api.client.get("/v1/openclaw/status")).json()["data"]
    assert (status["verdict"], status["reason"]) == ("config_error", None)


async def test_status_of_a_silent_node_is_stale(api: Api) -> None:
    await publish(api, fresh_seconds=-1)
    status = (await api.client.get("/v1/openclaw/status")).json()["data"]
    assert status["stale"] is True
    assert status["age_ms"] >= 0


async def test_version(api: Api) -> None:
    await publish(api)
    assert (await api.client.get("/v1/openclaw/version")).json()["data"] == {
        "installed": True,
        "version": "2026.9.6",
        "path": "/usr/bin/openclaw",
        "problem": None,
    }


@pytest.mark.parametrize("name", ["status", "version", "dashboard-url"])
async def test_who_has_it_gets_304_until_it_changes(name: str, api: Api) -> None:
    path = f"/v1/openclaw/{name}"
    at = datetime.now(UTC)
    await publish(api, observed_at=at, started_at=at)
    tag = (await api.client.get(path)).headers["ETag"]

    again = await api.client.get(path, headers={"If-None-Match": tag})
    await publish(api, observed_at=at, started_at=at, state=GatewayState.STOPPED)
    await publish_version(api, "2026.9.7")
    set_web(api, external_dashboard_url="https://panel.example.com/")
    changed = await api.client.get(path, headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


async def test_the_node_is_chosen_by_query_header_or_default(api: Api) -> None:
    await publish(api)
    await api.wiring.database.run(lambda s: nodes.touch(s, "other", hostname="there"))

    ambiguous = await api.client.get("/v1/openclaw/status")
    by_query = await api.client.get("/v1/openclaw/status", params={"node": "local"})
    by_header = await api.client.get("/v1/openclaw/status", headers={"X-Buddy-Node": "local"})
    silent = await api.client.get("/v1/openclaw/status", headers={"X-Buddy-Node": "other"})

    assert ambiguous.status_code == 400
    assert ambiguous.json()["data"]["known"] == ["local", "other"]
    assert by_query.status_code == by_header.status_code == 200
    assert silent.status_code == 503


async def test_nodes_lists_each_with_its_living_workers(api: Api) -> None:
    await api.wiring.database.run(lambda s: nodes.touch(s, "other", hostname="there"))
    local, other = (await api.client.get("/v1/nodes")).json()["data"]
    assert local["name"] == "local"
    assert local["online"] is True
    assert local["workers"] == {"fast": 1, "slow": 1}
    assert other["online"] is False


async def test_ready_shows_details_only_to_who_has_a_token(api: Api) -> None:
    strange = (await api.stranger.get("/ready")).json()
    known = (await api.client.get("/ready")).json()
    assert strange == {"code": 200, "message": "success", "data": {"status": "ok", "checks": None}}
    assert set(known["data"]["checks"]) == {"broker", "database", "workers"}
    assert all(check["latency_ms"] >= 0 for check in known["data"]["checks"].values())


async def test_ready_is_503_when_a_lane_has_no_worker(api: Api) -> None:
    await api.wiring.presence.leave("local", Lane.SLOW, "here:1")
    answer = await api.client.get("/ready")
    assert answer.status_code == 503
    assert "slow 0" in answer.json()["data"]["checks"]["workers"]["detail"]


async def test_metrics_are_prometheus_text_and_count(api: Api) -> None:
    await api.client.post("/v1/gateway/stop")
    text = (await api.client.get("/metrics")).text
    assert 'buddy_tasks{node="local",status="Queued"} 1.0' in text
    assert 'buddy_http_requests_total{method="POST",route="/v1/gateway/stop",status="202"} 1.0' in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0m"), (59, "0m"), (61, "1m"), (3600, "1h 0m"), (187_920, "2d 4h 12m"), (-5, "0m")],
)
def test_durations_look_as_in_the_guide(seconds: float, text: str) -> None:
    assert guide_duration(seconds) == text
